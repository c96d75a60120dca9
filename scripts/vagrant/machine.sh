#!/bin/sh
# What a virtual machine needs and a container doesn't: a network, a kernel, a way to start
# it. Runs as root in a chroot of the machine's root file system; the label of that file
# system is the first argument.
set -eu
export DEBIAN_FRONTEND=noninteractive

printf 'LABEL=%s / ext4 noatime,errors=remount-ro 0 1\n' "$1" >/etc/fstab
printf 'bookworm\n' >/etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 bookworm\n' >/etc/hosts
# eth0 is Vagrant's; it configures the others itself.
cat >/etc/systemd/network/eth0.network <<NETWORK
[Match]
Name=eth0

[Network]
DHCP=ipv4

[DHCPv4]
ClientIdentifier=mac
NETWORK
systemctl enable --quiet systemd-networkd.service

# A short list of modules halves the initramfs, which counts where a machine is emulated.
install -d /etc/initramfs-tools/conf.d
printf 'MODULES=list\n' >/etc/initramfs-tools/conf.d/modules
printf '%s\n' virtio_pci virtio_blk virtio_scsi virtio_net ahci sd_mod ext4 >>/etc/initramfs-tools/modules

# Translations of the packages' descriptions are a third of what a refresh downloads.
printf 'Acquire::Languages "none";\n' >/etc/apt/apt.conf.d/90no-translations
update-ca-certificates >/dev/null 2>&1
apt-get -q update
apt-get -q -y -o Dpkg::Use-Pty=0 upgrade
apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends linux-image-cloud-amd64

cat >/boot/extlinux/extlinux.conf <<BOOT
DEFAULT debian
LABEL debian
  LINUX /vmlinuz
  INITRD /initrd.img
  APPEND root=LABEL=$1 ro net.ifnames=0 quiet console=tty0 console=ttyS0
BOOT

# What a short-lived machine has no use for, least of all when it is emulated.
systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-logind.service \
    systemd-networkd-wait-online.service

# Last of all downloads: from here on names are looked up by the machine's own resolver.
apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends systemd-resolved
ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /usr/share/doc/* /usr/share/man/*
