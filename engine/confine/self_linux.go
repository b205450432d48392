package confine

// self is this program, even where its file was replaced since it was started.
const self = "/proc/self/exe"
