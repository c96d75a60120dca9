#!/bin/sh
# Makes packages in the shape of real Mesos' and repositories of them: repository.sh ARCHIVE FOLDER
# ARCHIVE is what scripts/pocket-archive makes. The repositories below FOLDER share their packages:
#   good      signed by the key "good"
#   expired   signed by a key that has expired since
#   unsigned  not signed
# Keys that are of no use otherwise: "other" signs nothing, "revoked" was taken back by its owner.
# FOLDER/<name>.asc is a key, FOLDER/<name>.fingerprint its fingerprint.
set -eu

archive=$1 folder=$2
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
architecture=$(dpkg --print-architecture)
VERSIONS='1.11.0-0.1 1.11.0-0.2'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$folder"
mkdir -p "$folder/pool"

# --- the package -----------------------------------------------------------------------------
root=$work/root
mkdir -p "$root/DEBIAN" "$root/usr" "$root/lib/systemd/system" "$root/etc/default" \
    "$root/etc/mesos" "$root/etc/mesos-master" "$root/etc/mesos-slave"
tar --extract --gzip --file="$archive" --directory="$root/usr"

# As in the packages: flags are files, read by a wrapper that the units start. This one leaves a trace.
cat >"$root/usr/bin/mesos-init-wrapper" <<'END'
#!/bin/sh
echo "$1" >>/var/log/mesos-init-wrapper
exec "/usr/sbin/mesos-$1" --zk="$(cat /etc/mesos/zk)" --quorum="$(cat /etc/mesos-master/quorum)" \
    --work_dir=/var/lib/mesos
END
chmod 755 "$root/usr/bin/mesos-init-wrapper"
for daemon in master slave; do
    cat >"$root/lib/systemd/system/mesos-$daemon.service" <<END
[Unit]
Description=Mesos $daemon

[Service]
ExecStart=/usr/bin/mesos-init-wrapper $daemon
Restart=always
RestartSec=20

[Install]
WantedBy=multi-user.target
END
    echo 'ULIMIT="-n 8192"' >"$root/etc/default/mesos-$daemon"
    echo /var/lib/mesos >"$root/etc/mesos-$daemon/work_dir"
done
echo zk://localhost:2181/mesos >"$root/etc/mesos/zk"
echo 1 >"$root/etc/mesos-master/quorum"
(cd "$root" && find etc -type f | sed 's,^,/,') >"$root/DEBIAN/conffiles"

# Starts the services in every way that maintainers' scripts have.
cat >"$root/DEBIAN/postinst" <<'END'
#!/bin/sh
set -e
test "$1" = configure || exit 0
test ! -e /run/mesos-postinst-fails || { echo "postinst was told to fail" >&2; exit 1; }
ldconfig
systemctl daemon-reload
for daemon in master slave; do
    deb-systemd-helper enable "mesos-$daemon.service" >/dev/null
    invoke-rc.d "mesos-$daemon" start
    systemctl restart "mesos-$daemon.service"
done
END
chmod 755 "$root/DEBIAN/postinst"

for version in $VERSIONS; do
    cat >"$root/DEBIAN/control" <<END
Package: aventer-mesos
Version: $version
Architecture: $architecture
Maintainer: Mesos Lab <nobody@example.org>
Depends: python3
Description: the bundled engine in the shape of a package of Mesos
END
    dpkg-deb --root-owner-group -Znone --build "$root" "$folder/pool" >/dev/null
done

# --- keys ------------------------------------------------------------------------------------
GNUPGHOME=$work/gnupg
export GNUPGHOME
mkdir -m 700 "$GNUPGHOME"
key() { # NAME [option of gpg...]
    name=$1
    shift
    gpg --quiet --batch --passphrase '' "$@" --quick-gen-key "$name <$name@example.org>" ed25519 sign "${expiry:-never}"
    gpg --batch --with-colons --list-keys "$name@example.org" |
        awk -F: '$1 == "fpr" { print $10; exit }' >"$folder/$name.fingerprint"
}
key good
key other
key revoked
LONG_AGO=20200101T000000
expiry=1d key expired --faked-system-time $LONG_AGO
sed 's/^:---/---/' "$GNUPGHOME/openpgp-revocs.d/$(cat "$folder/revoked.fingerprint").rev" | gpg --quiet --batch --import
for name in good other revoked expired; do
    gpg --batch --armor --export "$name@example.org" >"$folder/$name.asc"
done

# --- the repositories ------------------------------------------------------------------------
cd "$folder"
dists=dists/$suite
mkdir -p "unsigned/$dists/main/binary-$architecture"
ln -s ../pool unsigned/pool
(cd unsigned && apt-ftparchive packages pool/) >"$work/Packages"
cp "$work/Packages" "unsigned/$dists/main/binary-$architecture/"
apt-ftparchive -o "APT::FTPArchive::Release::Suite=$suite" -o "APT::FTPArchive::Release::Codename=$suite" \
    -o APT::FTPArchive::Release::Components=main -o "APT::FTPArchive::Release::Architectures=$architecture" \
    release "unsigned/$dists" >"$work/Release"
cp "$work/Release" "unsigned/$dists/"
cp --archive unsigned good
cp --archive unsigned expired
sign() { # REPOSITORY [option of gpg...]
    repository=$1
    shift
    gpg --quiet --batch --passphrase '' "$@" --local-user "$repository@example.org" --clearsign \
        --output "$repository/$dists/InRelease" "$work/Release"
}
sign good
sign expired --faked-system-time $LONG_AGO
