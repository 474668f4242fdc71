"""Somebody's own pictures, to train on or to judge a model by: layouts, classes, patients and their parts."""

from __future__ import annotations

from train.data.own.layouts import LAYOUTS, PREFIX
from train.data.own.section import Own, OwnError
from train.data.own.source import folder, own

__all__ = ["LAYOUTS", "PREFIX", "Own", "OwnError", "folder", "own"]
