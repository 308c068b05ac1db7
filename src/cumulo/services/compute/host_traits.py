"""What hosts can do, by the names that placement's clients know: traits."""

from cumulo.node.api import HostFacts

_ALWAYS = frozenset(
    {
        "COMPUTE_NODE",
        "COMPUTE_NET_ATTACH_INTERFACE",
        "COMPUTE_VOLUME_EXTEND",
        "COMPUTE_VOLUME_MULTI_ATTACH",
        *(f"COMPUTE_IMAGE_TYPE_{name}" for name in ("RAW", "QCOW2", "ISO")),
        *(f"COMPUTE_STORAGE_BUS_{name}" for name in ("VIRTIO", "SCSI", "SATA")),
        *(f"COMPUTE_GRAPHICS_MODEL_{name}" for name in ("VGA", "VIRTIO", "BOCHS", "NONE")),
        *(
            f"COMPUTE_NET_VIF_MODEL_{name}"
            for name in ("VIRTIO", "E1000", "E1000E", "RTL8139", "VMXNET3")
        ),
    }
)
# Linux's name of a feature of processors -> the trait's, behind HW_CPU_X86_.
_FEATURES = {
    **{name: name.upper() for name in ("avx", "avx2", "sse", "sse2", "ssse3", "sse4a", "mmx")},
    **{name: name.upper() for name in ("abm", "bmi2", "f16c", "fma4", "vmx", "svm", "xop")},
    **{f"avx512{name}": f"AVX512{name.upper()}" for name in ("f", "bw", "cd", "dq", "vl")},
    "aes": "AESNI",
    "bmi1": "BMI",
    "fma": "FMA3",
    "pclmulqdq": "CLMUL",
    "pni": "SSE3",
    "sha_ni": "SHA",
    "sse4_1": "SSE41",
    "sse4_2": "SSE42",
}


def traits_of(facts: HostFacts) -> frozenset[str]:
    """Return the traits of a host; of its processor's only what guests get from it."""
    if facts.accelerator != "kvm":
        return _ALWAYS
    features = {_FEATURES[name] for name in facts.cpu_features if name in _FEATURES}
    return _ALWAYS | {f"HW_CPU_X86_{name}" for name in features}
