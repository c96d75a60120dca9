#!/bin/sh
# Makes a node of a plain distribution: systemd as init and what Ansible needs, nothing of Mesos.
# Runs as root in a container; the packages' names come as arguments.
set -eu

# Which archives to use was written just before; certificates first, for those over https.
trust_certificates() {
    for command in update-ca-certificates update-ca-trust; do
        if command -v $command >/dev/null; then $command >/dev/null 2>&1; fi
    done
}

install_with_apt() {
    export DEBIAN_FRONTEND=noninteractive
    # A node that loses power is made anew: no need to wait for the disk after every file.
    echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/unsafe-io
    apt-get -q update
    apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends "$@"
}

install_with_dnf() {
    dnf --quiet --assumeyes --setopt=install_weak_deps=False install "$@"
}

trust_certificates
if command -v apt-get >/dev/null; then install_with_apt "$@"; else install_with_dnf "$@"; fi
trust_certificates

# What a container has no use for: consoles, clocks, devices, file systems of the host.
systemctl mask --quiet getty.target console-getty.service systemd-udevd.service \
    systemd-timesyncd.service systemd-logind.service systemd-remount-fs.service \
    sys-kernel-config.mount sys-kernel-debug.mount dev-hugepages.mount \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    motd-news.timer dnf-makecache.timer
systemctl set-default --quiet multi-user.target

# An image becomes several machines: each gets its identity at its first boot.
: >/etc/machine-id
rm -f /var/lib/dbus/machine-id
rm -rf /usr/share/doc/* /usr/share/man/* /tmp/*
if command -v apt-get >/dev/null; then
    apt-get clean
    rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
    # No lists, hence no fresh ones: Ansible judges by the folder's date whether to fetch them.
    touch --date=@0 /var/lib/apt/lists
else
    dnf --quiet clean all
fi
