#!/bin/sh
# Prints the dev overlay's secrets, new ones each time: overlays/dev/secrets.sh | kubectl apply -f -
set -eu
random() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
owner=$(random) gateway=$(random)
secret() {
    printf -- '---\napiVersion: v1\nkind: Secret\nmetadata: { name: %s, namespace: frond }\nstringData:\n' "$1"
    shift
    for pair in "$@"; do printf '  %s: "%s"\n' "${pair%%=*}" "${pair#*=}"; done
}
secret frond-postgres "owner-password=$owner" "gateway-password=$gateway"
secret frond-migrations "url=postgresql://frond:$owner@postgres:5432/frond"
secret frond-database "url=postgresql://frond_gateway:$gateway@postgres:5432/frond"
secret frond-dev "jwt-secret=$(random)" "storage-signing-key=$(random)"
