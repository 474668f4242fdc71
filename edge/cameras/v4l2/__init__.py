"""Video4Linux by its system calls, because nothing less tells whether a picture is good, new, or late.

OpenCV's own reader blocks for 10 s on a silent camera, hides error flags and time stamps, and answers an
unplugged one with an endless stream of failures. `abi` is the kernel's interface and `device` one open node
of it; `nodes` and `attached` find the cameras; `formats` is what one offers, `capture` its stream of
pictures, `decoder` and `pixels` make RGB of them, `light` holds exposure and white balance; `trouble` says
what is wrong.
"""
