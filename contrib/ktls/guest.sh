#!/bin/busybox sh
# The first and only process of the machine that check.sh boots.

/bin/busybox mkdir -p /usr/bin /usr/sbin
/bin/busybox --install -s
PATH=/bin:/sbin:/usr/bin:/usr/sbin
export PATH PROXYD=/proxyd/proxyd
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs -o size=2g tmp /tmp
chmod 1777 /tmp /dev/shm
depmod
ip link set lo up
ulimit -n 65536

passed=0 failed=0
check() { # check WHAT COMMAND...
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok: $what"
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
    fi
}

stat_of() { awk -v name="$1" '$1 == name { print $2 }' /proc/net/tls_stat 2>/dev/null || echo 0; }
told() { grep -q "$1" /tmp/p/error.log; }
await() { # await COMMAND...: up to a minute
    for _ in $(seq 300); do
        "$@" && return
        sleep 0.1
    done
    return 1
}

fetch() { curl -sk --max-time 120 "$@" https://127.0.0.1:4433/file | cmp - /tmp/p/file; }

# --- a kernel without the module, then with ---

mkdir -p /tmp/p
cd /tmp/p || exit 1
head -c 8000000 /dev/urandom >file
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=a -days 2 \
    -keyout a.key -out a.pem 2>/dev/null
cat >proxyd.conf <<'END'
worker_processes 1;
error_log error.log notice;
pid proxyd.pid;
events {}
http {
    access_log off;
    server { listen 127.0.0.1:4433 ssl; ssl_certificate a.pem; ssl_certificate_key a.key;
             root /tmp/p; }
}
END
: >error.log
modprobe=$(cat /proc/sys/kernel/modprobe)
echo /none >/proc/sys/kernel/modprobe
/proxyd/proxyd -p /tmp/p/ -c proxyd.conf -e error.log
await told serving
check "without the module that is told" told "kTLS: off, the kernel has no tls module; modprobe tls"
check "without the module files are served" fetch
echo "$modprobe" >/proc/sys/kernel/modprobe
kill -HUP "$(cat proxyd.pid)"
await told "configuration 2"
check "a reload finds the module, which the kernel loads by itself" told "kTLS: on"

# --- what serving a file costs ---

workers() { grep -l "^PPid:.$(cat proxyd.pid)\$" /proc/[0-9]*/status 2>/dev/null | cut -d / -f 3; }
alone() { test "$(workers | wc -l)" = 1; }
await alone

trace() { # trace FILE COMMAND...: the worker's system calls meanwhile
    strace -qq -o "$1" -p "$(workers)" &
    tracer=$!
    sleep 2
    shift
    "$@"
    result=$?
    kill $tracer
    sleep 2
    return $result
}

before=$(stat_of TlsTxSw)
check "a file is served while strace looks" trace /tmp/with fetch
check "the kernel was given keys for it (TlsTxSw $before -> $(stat_of TlsTxSw))" \
    test "$(stat_of TlsTxSw)" -gt "$before"
check "by sendfile" grep -q 'sendfile(' /tmp/with
sed -i 's/ssl; /&ssl_conf_command Options -KTLS; /' proxyd.conf
kill -HUP "$(cat proxyd.pid)"
await told "configuration 3"
await alone
before=$(stat_of TlsTxSw)
check "a file is served without kTLS" trace /tmp/without fetch
check "the kernel was given no keys" test "$(stat_of TlsTxSw)" = "$before"
for how in with without; do
    echo "system calls for 8 MB $how kTLS:"
    sed 's/(.*//' /tmp/$how | sort | uniq -c | sort -rn | head -n 8
done
kill -QUIT "$(cat proxyd.pid)"
echo "/proc/net/tls_stat:"
grep -v ' 0$' /proc/net/tls_stat

# --- the suites of TLS ---

cd /proxyd || exit 1
run() { # run BINARY PATTERN
    check "$1 $2" "/proxyd/$1" -j2 --timeout 180 --filter "$2"
}
cases=$(cat cases)
for pattern in ${cases:-ssl_kernel/* ssl_session/* ssl_early/* static/*}; do
    run e2e_tests "$pattern"
done
run unit_tests 'tls*/*'
echo "$passed passed, $failed failed"
poweroff -f
