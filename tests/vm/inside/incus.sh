#!/bin/sh
# Incus on a test's machine, with its files on the disk that lasts: incus.sh ADDRESS IMAGE. Again after each start.
set -e
mkdir -p /dev/pts /dev/shm /srv/disks/incus /var/lib/incus /run/lock /sys/fs/cgroup
mountpoint -q /dev/pts || mount -t devpts none /dev/pts
mountpoint -q /dev/shm || mount -t tmpfs none /dev/shm
mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup
mount --bind /srv/disks/incus /var/lib/incus
export HOME=/root
setsid /usr/libexec/incus/incusd --group root --logfile "/run/record/incusd-$(hostname).log" >/run/incusd.out 2>&1 </dev/null &
incus admin waitready --timeout 300
if [ ! -e /srv/disks/keys ]; then
    incus admin init --preseed <<END
config:
  core.https_address: $1:8443
storage_pools:
- name: default
  driver: dir
profiles:
- name: default
  devices:
    root: {type: disk, path: /, pool: default}
END
    incus image import --quiet "$2" --alias tiny
    mkdir -p /srv/disks/keys.new
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=$(hostname)" \
        -keyout /srv/disks/keys.new/agent.key -out /srv/disks/keys.new/agent.crt 2>/dev/null
    cp /var/lib/incus/server.crt /srv/disks/keys.new/server.crt
    mv /srv/disks/keys.new /srv/disks/keys
fi
