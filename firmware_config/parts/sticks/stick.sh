#!/bin/sh
# Mounts a stick's partition for the program (take sda1), or lets it go (release sda1). Anybody may have written what
# is on a stick: nothing there is a program, a device or a link, and its label is no more than a hint for a name.

media=/run/media/leukoscope
device=/dev/$2
note=$RUNTIME_DIRECTORY/place   # where it is mounted, for when the device can no longer be asked
export LC_ALL=C

take() {
    if findmnt --fstab --evaluate --source "$device" >/dev/null || in_use; then
        echo "$device: is left alone: /etc/fstab names it, or something else on its disk is in use"
        return 0
    fi
    # dirsync: a file that has got its name keeps it. flush: what is written to FAT does not wait in memory.
    options=nosuid,nodev,noexec,nosymfollow,noatime,dirsync
    owner=uid=$(id -u leukoscope),gid=$(id -g leukoscope),umask=077 || return
    type=$(told ID_FS_TYPE)
    case $type in
        vfat) options=$options,$owner,flush,utf8,shortname=mixed ;;
        exfat) options=$options,$owner ;;
        ntfs) options=$options,$owner; type=ntfs3,ntfs-3g ;;
        ext*) options=$options,errors=remount-ro ;;
    esac
    place=$media/$(name)
    mkdir "$place" 2>/dev/null || { place=$place-${device#/dev/}; mkdir "$place"; } || return
    echo "$place" >"$note"
    # read-only is better than not at all: NTFS that Windows has not let go of cannot be had otherwise
    mount --types "$type" --options "$options" "$device" "$place" ||
        mount --types "$type" --options "$options,ro" "$device" "$place" || return
    echo "$device: is mounted as $place"
}

# The system's own disk, that of the records, one with swap, and one that somebody has mounted elsewhere.
in_use() {
    parent=$(lsblk --noheadings --nodeps --output PKNAME "$device")
    disk=/dev/${parent:-${device#/dev/}}
    lsblk --noheadings --list --output LABEL "$disk" | grep -qx 'LEUKOSCOPE *' ||
        lsblk --noheadings --list --output MOUNTPOINTS "$disk" | grep -Evq "^($media/.*)?\$"
}

name() {
    label=$(told ID_FS_LABEL | tr -cs 'A-Za-z0-9_-' _ | sed 's/^[_-]*//; s/[_-]*$//' | cut -c 1-32)
    echo "${label:-stick}"
}

told() {
    udevadm info --query=property --property="$1" --value "$device"
}

release() {
    read -r place 2>/dev/null <"$note" || return 0
    # somebody may still be at work in it; systemd, too, unmounts what was pulled out
    umount "$place" || umount --lazy "$place"
    rmdir "$place"
}

"$1"
