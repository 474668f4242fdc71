"""Kinds of files beside pictures that lie in folders, by their suffix: what to tell of them, and what not."""

from __future__ import annotations

from pathlib import PurePath

VIDEOS = (
    ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
    ".mts", ".ogv", ".ts", ".webm", ".wmv",
)  # fmt: skip

LABELS = "label images of an earlier screening"
NO_FILE = "pipes, sockets or devices, which are no files"
NOT_ENTERED = "folders, into which a pattern does not look: give --camera the folder itself"
ARRIVED = "arrived while the folder was read: run it again"
NOT_REACHED = "not reached before the screening was stopped"

_TOLD = {
    "HEIC pictures: save them as JPEG (iPhone: Settings, Camera, Formats, Most Compatible)":
        ".heic .heics .heif .heifs .hif",
    "raw pictures of a camera: save them as JPEG or TIFF":
        ".3fr .arw .cr2 .cr3 .crw .dng .erf .iiq .kdc .mrw .nef .nrw .orf .pef .raf .raw .rw2 .rwl .srw "
        ".x3f",
    "pictures of a kind that is not read: save them as JPEG, PNG or TIFF":
        ".ai .apng .avif .emf .eps .exr .gif .hdr .ico .j2c .j2k .jng .jp2 .jpf .jpm .jpx .jxl .jxr .mng "
        ".pbm .pcx .pgm .pict .pnm .ppm .psb .psd .ras .svg .tga .wdp .wmf .xcf",
    "whole slides or files of a microscope: export their fields as TIFF or PNG":
        ".bif .ciff .czi .dv .flex .ics .ids .ims .isyntax .lif .lsm .mcs .mrxs .nd .nd2 .ndpi .ndpis "
        ".oib .oif .qptiff .scn .sld .slide .stk .svs .svslide .tf8 .vms .vmu .vsi .zvi",
    "DICOM: export the pictures as TIFF or PNG":
        ".dcm .dic .dicom .ima",
    "documents: save the pictures in them as JPEG or PNG":
        ".doc .docx .key .odg .odp .odt .pages .pdf .pot .pps .ppsx .ppt .pptx .ps .rtf .xps",
    "videos: give --camera one by itself":
        " ".join(VIDEOS),
    "archives: unpack them first":
        ".7z .bz2 .cab .dmg .gz .iso .lz4 .lzma .rar .tar .tbz .tgz .txz .xz .z .zip .zst",
}  # fmt: skip
"""What to tell of files that people may have meant to be read -> their suffixes."""

_UNTOLD = (
    ".aae .arff .bib .cfg .conf .css .csv .db .db-journal .db-shm .db-wal .dll .exe .geojson .h5 .hdf5 "
    ".htm .html .ini .ipynb .jl .js .json .jsonl .lnk .log .m .mat .md .md5 .npy .npz .numbers .ods "
    ".parquet .pkl .py .r .rdf .rels .roi .rst .sh .sha1 .sha256 .sqlite .thm .toml .torrent .tsv .txt "
    ".url .webloc .xls .xlsx .xml .xmp .yaml .yml"
)
"""Tables, texts, annotations, settings, programs: they lie beside pictures and nobody takes them for one."""

_REASONS = {suffix: reason for reason, suffixes in _TOLD.items() for suffix in suffixes.split()}
_SILENT = frozenset(_UNTOLD.split())


def known(name: str) -> str | None:
    """What to tell of a file whose suffix is that of something people take for a picture; else None."""
    return _REASONS.get(PurePath(name).suffix.lower())


def why_left_out(name: str) -> str | None:
    """Why a file that is no picture by its suffix is left out; None where nobody wants to hear of it."""
    suffix = PurePath(name).suffix.lower()
    if suffix in _SILENT:
        return None
    if not suffix:
        return "files without a suffix: if they are pictures, give them one, such as .jpg"
    return known(name) or "files of an unknown kind: if they are pictures, save them as JPEG, PNG or TIFF"
