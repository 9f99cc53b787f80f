#!/bin/sh
#
# run.sh PROXYD: proxyd in the foreground on a free unprivileged port, with a little site behind it
# whose origins are served by proxyd itself. Ctrl-C ends it; nothing is left behind.

set -eu
umask 022

[ $# = 1 ] || { echo "usage: sh contrib/demo/run.sh PROXYD" >&2; exit 2; }
case $1 in
    /*) proxyd=$1 ;;
    *) proxyd=$PWD/$1 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/proxyd-demo.XXXXXX")
pid=

finish()
{
    trap '' INT TERM HUP
    if [ -n "$pid" ]; then
        kill -TERM "$pid" 2>/dev/null || :
        wait "$pid" 2>/dev/null || :
    fi
    rm -rf "$dir"
}
trap finish EXIT
trap 'exit 0' INT TERM HUP

# Whether somebody listens on the port, as the kernel's tables say.
taken()
{
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        grep -q "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$1") [0-9A-F:]* 0A "
}

port=8080
while taken "$port"; do port=$((port + 1)); done

chmod 755 "$dir" # the workers are somebody else when this runs as root
mkdir "$dir/logs"
cp -R "$here/site" "$dir/site"
sed -e "s|@port@|$port|g" -e "s|@dir@|$dir|g" "$here/demo.conf" >"$dir/demo.conf"

"$proxyd" -p "$dir" -c "$dir/demo.conf" -e "$dir/logs/error.log" -g 'daemon off;' &
pid=$!
until [ -s "$dir/proxyd.pid" ]; do
    if ! kill -0 "$pid" 2>/dev/null; then
        pid=
        echo "proxyd did not start" >&2
        exit 1
    fi
    sleep 0.1
done

at=http://127.0.0.1:$port
cat <<END

proxyd is running on $at/ with this configuration:
    $dir/demo.conf

Try in another terminal:

    curl -i $at/                            a static page
    curl -i -r 0-9 $at/index.html           ten bytes of it
    curl $at/api/hello?x=1                  one of two applications, by weighted round robin
    curl -d a=b $at/api/form                a request with a body
    curl -i -X TRACE -H 'Max-Forwards: 0' $at/api/   the last hop answers
    curl $at/flaky/                         the first origin is down, the next one answers
    curl -i $at/broken/                     no origin answers: our error page
    curl -i $at/download/report             the application hands out a file (X-Accel-Redirect)
    curl -i $at/old/page?q=1                a redirect
    curl -i -H 'Host: other.test' $at/      another site on the same port
    curl -i -H 'Content-Length: 1' -H 'Transfer-Encoding: chunked' -d '' $at/   refused: ambiguous

Look at it:

    cat $dir/logs/access.log
    kill -HUP $pid                          load the configuration anew, after an edit of yours
    $proxyd help proxy_pass

Ctrl-C ends it.

END

# wait returns early for every signal that is trapped, and those end the script.
wait "$pid" && status=0 || status=$?
pid=
exit "$status"
