package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// empty refuses names that are empty, as of a shell's variable that is not set: the flag
// would count for nothing.
func (p *loadPlan) checkEmpty() {
	for _, v := range []struct{ flag, value, what string }{
		{"trace", p.trace, "a file"}, {"schedule", p.schedule, "phases"}, {"body", p.body, "a file"}, {"content-type", p.contentType, "a type"}, {"plot", p.plot, "a file"},
	} {
		if p.changed(v.flag) && v.value == "" {
			p.errorf("--%s: it is empty; name %s, or leave it out", v.flag, v.what)
		}
	}
}

// drawable refuses a file that can't be drawn into: before the run, which may be long.
func (p *loadPlan) checkPlotFile() {
	if p.plot == "" {
		return
	}
	before, _ := os.Stat(p.plot)
	for flag, name := range map[string]string{"body": p.body, "trace": p.trace} {
		if other, err := os.Stat(name); err == nil && before != nil && os.SameFile(before, other) {
			p.errorf("--plot: it is the file of --%s, and would be written over; name another", flag)
			return
		}
	}
	if err := checkWritable("plot", p.plot); err != nil {
		p.errs = append(p.errs, err)
	}
}

// writable reports why a flag's file can't be written, if it can't. It leaves no file behind.
func checkWritable(flag, name string) error {
	_, err := os.Stat(name)
	isNew := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	_ = f.Close()
	if isNew {
		_ = os.Remove(name)
	}
	return nil
}
