package confine

// self is the executable of this process, even if its file has been replaced.
const self = "/proc/self/exe"
