#!/bin/sh
# Copyright (c) Switchyard contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Firewall rules of a lab's bridge: firewall.sh list|remove|closed|open BRIDGE
#
# list, remove   what there is: the chains Incus made in nftables (or its rules in iptables, where that is in use
#                already), and what open added; one line each
# closed, open   where this machine's own iptables drops what no rule names, as Docker's and ufw's do: the rules
#                the nodes need to reach their mirrors, this machine's name server and their power switch, and are
#                not there
set -eu

task=$1 bridge=$2
comment="Switchyard lab $bridge"

chains() {
    command -v nft >/dev/null || return 0
    nft list table inet incus 2>/dev/null | sed -n "s/^[[:space:]]*chain \([a-z]*\.$bridge\) {/\1/p"
}

rules() { # $1 command, $2 table
    command -v "$1" >/dev/null || return 0
    "$1" --wait --table "$2" --list-rules 2>/dev/null |
        grep -e "--comment \"generated for Incus network $bridge\"" -e "--comment \"$comment\"" || :
}

missing() {
    command -v iptables >/dev/null || return 0
    policies=$(iptables --wait --list-rules 2>/dev/null) || return 0
    {
        case $policies in *"-P FORWARD DROP"*)
            echo "FORWARD --in-interface $bridge"
            echo "FORWARD --out-interface $bridge"
            ;;
        esac
        case $policies in *"-P INPUT DROP"*)
            echo "INPUT --in-interface $bridge --protocol udp --dport 53"
            echo "INPUT --in-interface $bridge --protocol tcp --dport 53"
            echo "INPUT --in-interface $bridge --protocol tcp --dport 8443"
            ;;
        esac
    } | while read -r rule; do
        # shellcheck disable=SC2086
        iptables --wait --check $rule --match comment --comment "$comment" --jump ACCEPT 2>/dev/null || echo "$rule"
    done
}

case $task in
closed)
    missing
    ;;
open)
    missing | while read -r rule; do
        # shellcheck disable=SC2086
        iptables --wait --insert $rule --match comment --comment "$comment" --jump ACCEPT
    done
    ;;
list | remove)
    chains | while read -r chain; do
        echo "chain $chain"
        [ "$task" = list ] || { nft flush chain inet incus "$chain" && nft delete chain inet incus "$chain"; }
    done
    for program in iptables ip6tables; do
        for table in filter nat mangle; do
            rules "$program" "$table" | while read -r rule; do
                echo "$program $table $rule"
                [ "$task" = list ] || echo "$rule" | sed 's/^-A/--delete/' | xargs "$program" --wait --table "$table"
            done
        done
    done
    if [ "$task" = remove ] && command -v nft >/dev/null && [ "$(nft list table inet incus 2>/dev/null | wc -l)" = 2 ]; then
        nft delete table inet incus
    fi
    ;;
esac
