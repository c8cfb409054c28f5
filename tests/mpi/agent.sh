#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# Stands in for ssh among the hosts of hosts.sh: agent.sh [-OPTION...] HOST COMMAND...
while [ "${1#-}" != "$1" ]; do shift; done
host=${1#*@}
shift
cd / && exec bash "$(dirname "$0")/hosts.sh" sh "$host" sh -c "$*"
