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
rm -f /etc/ssh/ssh_host_*
install -d /etc/systemd/system/ssh.service.d
cat >/etc/systemd/system/ssh.service.d/host-keys.conf <<UNIT
[Service]
ExecStartPre=
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
UNIT
: >/etc/machine-id
rm -f /var/lib/dbus/machine-id

# Looking up the client's name delays each login where no name server knows it.
printf 'UseDNS no\n' >/etc/ssh/sshd_config.d/vagrant.conf
systemctl enable --quiet ssh.service
