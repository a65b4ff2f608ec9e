"""The sampling core: noise levels, the one affine step, keyed noise, solving, guidance and inversion.

Pure maths on tensors; it knows no model. Coefficients are float64 on the CPU, states float32 on the device.
"""
