package pod

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// exitRecorderScript runs the command after its first argument and writes the exit status
// to the file that the first argument names: a process that outlives its parent has
// nobody to collect its status. The first line creates a marker file exclusively and
// exits if that fails (see PreventStart). The trap keeps a signal from ending the shell
// before the command; a trap that is not empty is reset in the command, whereas an
// ignored signal would stay ignored there.
const exitRecorderScript = `set -C; : >"$0.begun" || exit 126; set +C
trap : TERM INT HUP
"$@"
code=$?
echo "$code" >"$0"
exit "$code"`

// PreventStart keeps a process with this ExitPath from starting its command, and reports
// whether it succeeded: false means that the command was started, or was prevented
// before. It is for a process whose parent died while starting it.
func PreventStart(exitPath string) bool {
	if os.MkdirAll(filepath.Dir(exitPath), 0o700) != nil { // the parent may have died before it made the folder
		return false
	}
	f, err := os.OpenFile(exitPath+".begun", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return false
	}
	_ = f.Close() // nothing was written
	return true
}

// withExitRecorder wraps a command so that its exit status is written to a file.
func withExitRecorder(argv []string, file string) ([]string, error) {
	// Looked up here, because the shell would report a missing program only in the log.
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	return append([]string{"/bin/sh", "-c", exitRecorderScript, file, program}, argv[1:]...), nil
}

// readExit reads the recorded exit status. The code is -1 if the file is missing,
// incomplete or invalid.
func readExit(file string) Exit {
	raw, err := os.ReadFile(file)
	text, whole := strings.CutSuffix(string(raw), "\n")
	code, notNumber := strconv.Atoi(text)
	if err != nil || !whole || notNumber != nil || code < 0 || code > 255 {
		return Exit{Code: -1}
	}
	return Exit{Code: code}
}
