package pod

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// recorder runs the command that follows its first argument, and writes the exit
// status into the file of that name. A process that outlives us has nobody of ours to
// collect its status. The first line makes a file that must not be there (see
// Forestall), or ends the recorder. The signals that end the command must not end the
// recorder before it: a trap that does something waits for the command, and unlike one
// that ignores the signal is not inherited by it.
const recorder = `set -C; : >"$0.begun" || exit 126; set +C
trap : TERM INT HUP
"$@"
code=$?
echo "$code" >"$0"
exit "$code"`

// Forestall keeps a process with this ExitPath from beginning its command, and tells
// whether it could: false says that it has begun, or was forestalled before. Whoever
// started it may have died before the process got that far.
func Forestall(exitPath string) bool {
	if os.MkdirAll(filepath.Dir(exitPath), 0o700) != nil { // it may not have come to its folder
		return false
	}
	f, err := os.OpenFile(exitPath+".begun", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return false
	}
	_ = f.Close() // it holds nothing
	return true
}

// recorded is a command whose exit status is written into a file.
func recorded(argv []string, file string) ([]string, error) {
	// Looked up here: the shell would start, and then say in the log that it can't.
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	return append([]string{"/bin/sh", "-c", recorder, file, program}, argv[1:]...), nil
}

// readExit is what the recorder wrote; -1 where it wrote nothing, or not all of it, or where
// what is there is no exit status.
func readExit(file string) Exit {
	raw, err := os.ReadFile(file)
	text, whole := strings.CutSuffix(string(raw), "\n")
	code, notNumber := strconv.Atoi(text)
	if err != nil || !whole || notNumber != nil || code < 0 || code > 255 {
		return Exit{Code: -1}
	}
	return Exit{Code: code}
}
