#!/bin/sh
# The screen: runs its arguments, which are a program, in a terminal with all colours (foot, on the graphics
# driver through cage), or on the plain console with sixteen where that is not installed or does not come up.

lasting_s=60   # what lasted as long had come up: it ended for another reason, and is to start again as it was

coloured() {
    # cage takes the console that is in front, and somebody may be logged in on another: wait for this one
    until [ "$(cat /sys/class/tty/tty0/active)" = tty1 ]; do sleep 1; done
    # by the first monitor's height: 85x24 characters on 1024x600, 160x44 on 1920x1080 and whatever is finer
    height=$(cat /sys/class/drm/card*-*/modes 2>/dev/null | sed -n '1s/.*x\([0-9]*\).*/\1/p')
    size=$((${height:-1080} / 54))
    [ "$size" -ge 20 ] || size=20
    export XDG_RUNTIME_DIR="$RUNTIME_DIRECTORY" XDG_CACHE_HOME="$RUNTIME_DIRECTORY" LANG=C.UTF-8
    export LIBSEAT_BACKEND=seatd    # logind would move the program out of the service, and out of its limits
    export WLR_RENDERER=pixman      # foot draws with the processor anyway; no GPU is asked for, no Mesa loaded
    export WLR_XWAYLAND=/bin/false  # before 0.2.0 cage does not start without an X server, though none is used
    systemd-cat --identifier=leukoscope-kiosk cage -s -- \
        foot --config="${0%/*}/foot.ini" --font="DejaVu Sans Mono:pixelsize=${TEXT_PX:-$size}" \
        sh -c 'echo $$ >"$RUNTIME_DIRECTORY/pid"; exec "$@"' sh "$@" &
    cage=$!
    trap finish TERM
    while kill -0 $cage 2>/dev/null; do
        wait $cage
        status=$?
    done
    trap - TERM
}

finish() {
    # the program alone, which ends the slide in order while it has its terminal; that ends with it
    finishing=yes
    kill "$(cat "$RUNTIME_DIRECTORY/pid")" 2>/dev/null || kill $cage
}

uptime_s() {
    read -r seconds _ </proc/uptime
    echo "${seconds%.*}"
}

if command -v cage >/dev/null && command -v foot >/dev/null; then
    began=$(uptime_s)
    coloured "$@"
    [ -z "$finishing" ] || exit 0
    [ $status -ne 0 ] && [ $(($(uptime_s) - began)) -lt $lasting_s ] || exit $status
fi
touch "$RUNTIME_DIRECTORY/plain"   # for edge-device doctor
exec "$@"
