#!/bin/sh
# Turns a Debian into what Vagrant calls a base box: user vagrant with the published key,
# sudo without a password, ssh host keys of its own at the first start. Vagrant replaces the
# published key by a fresh one when the machine comes up. Runs as root inside the system,
# with the public key as its argument.
set -eu

useradd --create-home --shell /bin/bash vagrant
install -d -m 0700 -o vagrant -g vagrant /home/vagrant/.ssh
printf '%s\n' "$1" >/home/vagrant/.ssh/authorized_keys
chown vagrant:vagrant /home/vagrant/.ssh/authorized_keys
chmod 0600 /home/vagrant/.ssh/authorized_keys
printf 'vagrant ALL=(ALL) NOPASSWD: ALL\n' >/etc/sudoers.d/vagrant
chmod 0440 /etc/sudoers.d/vagrant

# One image becomes several machines: none shares its keys or its identity with another.
# No RSA key: on an emulated processor making one takes longer than all the rest.
rm -f /etc/ssh/ssh_host_*
cat >/etc/ssh/sshd_config.d/vagrant.conf <<CONFIG
HostKey /etc/ssh/ssh_host_ed25519_key
HostKey /etc/ssh/ssh_host_ecdsa_key
# Looking up the client's name delays each login where no name server knows it.
UseDNS no
CONFIG
cat >/usr/local/sbin/make-host-keys <<'SCRIPT'
#!/bin/sh
for type in ed25519 ecdsa; do
    key=/etc/ssh/ssh_host_${type}_key
    test -s "$key" || ssh-keygen -q -N "" -t "$type" -f "$key" || exit 1
done
SCRIPT
chmod 0755 /usr/local/sbin/make-host-keys
install -d /etc/systemd/system/ssh.service.d
cat >/etc/systemd/system/ssh.service.d/host-keys.conf <<UNIT
[Service]
ExecStartPre=
ExecStartPre=/usr/local/sbin/make-host-keys
ExecStartPre=/usr/sbin/sshd -t
UNIT
systemctl enable --quiet ssh.service

: >/etc/machine-id
rm -f /var/lib/dbus/machine-id
