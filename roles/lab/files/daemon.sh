#!/bin/sh
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A lab's own Incus: daemon.sh start|stop|status NAME DIRECTORY
# stop ends whatever the lab runs; status says on standard output whether that is anything.
#
# The daemon lives in name spaces and a cgroup of its own, as if it were a container that shares the
# machine's files and network:
#   pid     whatever the lab starts dies with its first process; nothing can escape and stay behind
#   mount   its mounts are seen by nobody else and vanish with it; it sees cgroup v2 only, because a
#           node's systemd and nested Incus trip over the split controllers of v1
#   cgroup  what it makes lies below the lab's cgroup, so that stop knows what belongs to the lab
#
# Under systemd the lab's cgroup is that of a transient unit; elsewhere it is one made here.
set -eu

task=$1 name=$2 directory=$3
group=switchyard-lab-$name
cgroups=/sys/fs/cgroup

with_systemd() { [ -d /run/systemd/system ]; }

only_cgroup2() { # in place of whatever is mounted there; in a private mount name space
    while umount -R "$cgroups" 2>/dev/null; do :; done
    mount -t cgroup2 -o nosuid,nodev,noexec none "$cgroups"
}

remove_cgroups() { # below directory $1, from depth $2 on; the kernel takes a moment to let go of dead ones
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ -d "$1" ] || return 0
        find "$1" -mindepth "$2" -depth -type d -exec rmdir {} \; 2>/dev/null || :
        [ -n "$(find "$1" -mindepth "$2" -type d -print -quit 2>/dev/null)" ] || return 0
        sleep 0.1
    done
}

case $task in
start)
    if with_systemd; then
        systemctl reset-failed "$group.service" 2>/dev/null || :
        exec systemd-run --quiet --collect --unit="$group" --description="Switchyard lab $name" \
            --property=Delegate=yes --property=KillSignal=SIGKILL --property=TasksMax=infinity \
            --property=LimitNOFILE=1048576 --property=StandardOutput="append:$directory/daemon.log" \
            --property=StandardError="append:$directory/daemon.log" \
            sh "$0" enter "$name" "$directory"
    fi
    # A session of its own, so that neither a terminal nor the caller's pipes hold it or are held by it.
    exec setsid --fork unshare --mount --propagation private sh "$0" join "$name" "$directory" \
        </dev/null >>"$directory/daemon.log" 2>&1
    ;;
join) # without systemd: make the lab's cgroup and go there
    [ "$(stat -f -c %T "$cgroups")" = cgroup2fs ] || only_cgroup2
    for controller in $(cat "$cgroups/cgroup.controllers"); do
        echo "+$controller" >"$cgroups/cgroup.subtree_control" 2>/dev/null || :
    done
    mkdir -p "$cgroups/$group"
    echo $$ >"$cgroups/$group/cgroup.procs"
    exec sh "$0" enter "$name" "$directory"
    ;;
enter) # the lab's cgroup becomes the root of what the lab sees
    exec unshare --cgroup --mount --propagation private sh "$0" isolate "$name" "$directory"
    ;;
isolate)
    only_cgroup2
    # No process may stay in a cgroup that hands controllers to its children.
    mkdir -p "$cgroups/supervisor"
    echo $$ >"$cgroups/supervisor/cgroup.procs"
    exec unshare --pid --fork --kill-child --mount --mount-proc --propagation private \
        sh "$0" run "$name" "$directory"
    ;;
run) # the first process of the lab; it also reaps what the nodes' monitors leave behind
    mkdir -p "$cgroups/init.scope"
    echo $$ >"$cgroups/init.scope/cgroup.procs"
    # The id ranges of the lab's nodes, in place of the machine's, which may not fit or not exist.
    for file in /etc/subuid /etc/subgid; do
        [ -e "$file" ] || : >"$file"
        mount --bind "$directory/subid" "$file"
    done
    # LXC's locks, which it never takes away.
    mkdir -p /run/lxc
    mount -t tmpfs -o mode=755 none /run/lxc
    export INCUS_DIR="$directory/incus"
    while :; do
        /usr/libexec/incus/incusd --group root --logfile "$directory/incusd.log" &
        wait $! || :
        sleep 1
    done
    ;;
status)
    if with_systemd; then
        ! systemctl --quiet is-active "$group.service" || echo running
        exit 0
    fi
    exec unshare --mount --propagation private sh "$0" look "$name" "$directory"
    ;;
look)
    [ "$(stat -f -c %T "$cgroups")" = cgroup2fs ] || only_cgroup2
    [ ! -d "$cgroups/$group" ] || echo running
    ;;
stop)
    if with_systemd; then
        systemctl stop "$group.service" 2>/dev/null || :
        systemctl reset-failed "$group.service" 2>/dev/null || :
        exit 0
    fi
    exec unshare --mount --propagation private sh "$0" kill "$name" "$directory"
    ;;
kill)
    [ "$(stat -f -c %T "$cgroups")" = cgroup2fs ] || only_cgroup2
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ -d "$cgroups/$group" ] || exit 0
        find "$cgroups/$group" -name cgroup.procs -exec cat {} + 2>/dev/null | xargs -r kill -KILL 2>/dev/null || :
        remove_cgroups "$cgroups/$group" 0
    done
    echo "the processes of lab $name do not end" >&2
    exit 1
    ;;
*)
    echo "usage: daemon.sh start|stop|status NAME DIRECTORY" >&2
    exit 64
    ;;
esac
