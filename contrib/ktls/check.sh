#!/bin/sh
# Shows that kTLS works under a kernel that has it, whatever kernel this machine runs:
#
#     make ktls-check            (about five minutes; needs what it names, and a Debian mirror)
#
# Debian's kernel is unpacked beside the objects (nothing of it is installed) and booted by qemu
# with a file system in memory that holds proxyd, the tests, the libraries they need and the modules
# of tls. In there guest.sh runs the tests of TLS with proxyd under that kernel, and looks with
# strace and /proc/net/tls_stat at what they do. Its last line is "N passed, N failed".
set -eu

out=$1
cases=${2:-}
work=$out/ktls
root=$work/root
here=$(dirname "$0")

need() {
    command -v "$1" >/dev/null || { echo "ktls: needs: apt-get install $2" >&2; exit 1; }
}

unpack_kernel() {
    [ -d "$work/kernel" ] && return
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p')
    rm -rf "$work/deb" && mkdir -p "$work/deb"
    (cd "$work/deb" && apt-get -qq download "$package" 2>/dev/null)
    dpkg-deb -x "$work"/deb/*.deb "$work/unpacked"
    mv "$work/unpacked" "$work/kernel"
}

# A file with the libraries it needs, where they are on this machine.
copy() {
    for file in "$1" $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
        [ -e "$root$file" ] || install -D "$file" "$root$file"
    done
}

copy_modules() {
    version=$(basename "$work"/kernel/lib/modules/*)
    modules=$work/kernel/lib/modules/$version
    for part in kernel/crypto kernel/arch/x86/crypto kernel/lib/crypto kernel/net/tls \
                modules.order modules.builtin modules.builtin.modinfo; do
        mkdir -p "$root/lib/modules/$version/$(dirname "$part")"
        cp -r "$modules/$part" "$root/lib/modules/$version/$part"
    done
    touch "$root/lib/modules/$version/modules.dep"
}

make_root() {
    rm -rf "$root"
    mkdir -p "$root/bin" "$root/sbin" "$root/etc" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" \
        "$root/proxyd"
    cp "$(command -v busybox)" "$root/bin/busybox"
    for tool in openssl strace curl; do copy "$(command -v $tool)"; done
    for binary in proxyd e2e_tests unit_tests; do
        copy "$out/$binary"
        mv "$root$out/$binary" "$root/proxyd/"
    done
    for file in ossl-modules/legacy.so libnss_files.so.2; do
        for path in /usr/lib/*/"$file" /lib/*/"$file"; do [ ! -e "$path" ] || copy "$path"; done
    done
    install -D "$(openssl version -d | cut -d'"' -f2)/openssl.cnf" "$root/usr/lib/ssl/openssl.cnf"
    grep -E '^(root|nobody|www-data):' /etc/passwd >"$root/etc/passwd"
    grep -E '^(root|nogroup|www-data):' /etc/group >"$root/etc/group"
    echo '127.0.0.1 localhost' >"$root/etc/hosts"
    printf '%s\n' "$cases" >"$root/proxyd/cases"
    install "$here/guest.sh" "$root/init"
    copy_modules
    (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/root.gz"
}

need qemu-system-x86_64 qemu-system-x86
need busybox busybox-static
need cpio cpio
need strace strace
mkdir -p "$work"
out=$(cd "$out" && pwd) work=$out/ktls root=$out/ktls/root
unpack_kernel
make_root
timeout 1500 qemu-system-x86_64 -accel tcg -cpu max -smp 2 -m 3072 -nographic -no-reboot -nic none \
    -kernel "$work"/kernel/boot/vmlinuz-* -initrd "$work/root.gz" \
    -append 'console=ttyS0 quiet panic=-1' </dev/null 2>&1 |
    stdbuf -oL tr -d '\r' | tee "$work/console.log"
grep -q ' passed, 0 failed$' "$work/console.log"
