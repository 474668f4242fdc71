"""Cameras in a network: RTSP, and pictures over HTTP."""
