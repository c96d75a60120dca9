#!/bin/sh
# Makes a node of plain Debian: systemd as init and what Ansible needs, nothing of Mesos.
# Runs as root in a container; the packages' names come as arguments.
set -eu
export DEBIAN_FRONTEND=noninteractive

# Which archives to use was written just before; certificates first, for those over https.
if command -v update-ca-certificates >/dev/null; then update-ca-certificates >/dev/null 2>&1; fi
# A node that loses power is made anew: no need to wait for the disk after every file.
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/unsafe-io
apt-get -q update
apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends "$@"
update-ca-certificates >/dev/null 2>&1

# What a container has no use for: consoles, clocks, devices, file systems of the host.
systemctl mask --quiet getty.target console-getty.service systemd-udevd.service \
    systemd-timesyncd.service systemd-logind.service systemd-remount-fs.service \
    sys-kernel-config.mount sys-kernel-debug.mount dev-hugepages.mount \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
systemctl set-default --quiet multi-user.target

# An image becomes several machines: each gets its identity at its first boot.
: >/etc/machine-id
rm -f /var/lib/dbus/machine-id
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /usr/share/doc/* /usr/share/man/* /tmp/*
# No lists, hence no fresh ones: Ansible judges by the folder's date whether to fetch them.
touch --date=@0 /var/lib/apt/lists
