package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/workflow"
	"github.com/scanflow-k8s/scanflow/cmd/internal/app"
	"github.com/scanflow-k8s/scanflow/cmd/internal/plot"
)

// workflowSource reads the runs of workflows from a running scanflow or from a data folder.
type workflowSource struct {
	readFlags
	folder bool // decided by choose
	chosen bool
}

func (o *workflowSource) add(c *cobra.Command) {
	o.readFlags.add(c, "data folder to read instead of asking a scanflow: what was last written down there")
}

// choose decides what is read: with neither --data nor --server the scanflow of this machine, and
// the default folder where none answers.
func (o *workflowSource) choose(cmd *cobra.Command) error {
	if o.chosen || o.command == nil {
		return nil
	}
	folder, server, err := o.asked()
	if err != nil {
		return err
	}
	o.folder, o.chosen = folder, true
	if folder || server {
		return nil
	}
	var none json.RawMessage
	err = o.get(cmd.Context(), "/v1/workflows", nil, &none)
	if _, gone := os.Stat(app.WorkflowsDir(o.data)); errors.Is(err, errNoAnswer) && gone == nil {
		o.folder = true
		_, err := fmt.Fprintln(cmd.ErrOrStderr(), plot.Line(fmt.Sprintf("scanflow: no scanflow answers at %s; this is what was last written down in %s", o.server, o.data)))
		return err
	}
	return nil // the request itself says what is wrong
}

// readFolder reads the runs of the data folder.
func (o *workflowSource) readFolder(cmd *cobra.Command) ([]workflow.Run, error) {
	runs, err := workflow.ReadFolder(app.WorkflowsDir(o.data))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("--data: no workflows have run with %s: %w", o.data, err)
	case err != nil && len(runs) > 0: // the others can be shown
		_, err = fmt.Fprintln(cmd.ErrOrStderr(), plot.Line("scanflow: "+err.Error()))
	}
	return runs, err
}

func (o *workflowSource) list(cmd *cobra.Command) ([]workflowLine, error) {
	if err := o.choose(cmd); err != nil {
		return nil, err
	}
	if o.folder {
		runs, err := o.readFolder(cmd)
		return workflowLines(runs), err
	}
	var lines []workflowLine
	err := o.get(cmd.Context(), "/v1/workflows", nil, &lines)
	return lines, err
}

// completeRun completes the name of a run, of which a command takes one.
func (o *workflowSource) completeRun(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	cmd.SetErr(io.Discard) // a shell shows it in the middle of the line
	return completed(func(context.Context) (names []string, err error) {
		lines, err := o.list(cmd)
		for _, l := range lines {
			names = append(names, l.Name)
		}
		return names, err
	})(cmd, args, word)
}

// resolve returns the API path of a run by NAME or NAMESPACE/NAME.
func (o *workflowSource) resolve(cmd *cobra.Command, name string) (string, error) {
	if namespace, name, both := strings.Cut(name, "/"); both {
		return runPath(namespace, name), nil
	}
	lines, err := o.list(cmd)
	if err != nil {
		return "", err
	}
	var found []string
	at := ""
	for _, l := range lines {
		if l.Name == name {
			found, at = append(found, l.Namespace+"/"+l.Name), runPath(l.Namespace, l.Name)
		}
	}
	return at, checkUnique(name, found)
}

// checkUnique returns an error unless exactly one run has the name.
func checkUnique(name string, found []string) error {
	switch len(found) {
	case 0:
		return fmt.Errorf("there is no run %s; `scanflow workflows` lists them", name)
	case 1:
		return nil
	}
	return fmt.Errorf("there is more than one run %s; say which: %s", name, strings.Join(found, ", "))
}

// find returns a run by NAME or NAMESPACE/NAME.
func (o *workflowSource) find(cmd *cobra.Command, name string) (run workflow.Run, err error) {
	if err := o.choose(cmd); err != nil {
		return run, err
	}
	if !o.folder {
		at, err := o.resolve(cmd, name)
		if err != nil {
			return run, err
		}
		err = o.get(cmd.Context(), at, nil, &run)
		return run, err
	}
	runs, err := o.readFolder(cmd)
	if err != nil {
		return run, err
	}
	var found []string
	for _, r := range runs {
		if full := r.Namespace + "/" + r.Name; name == r.Name || name == full {
			run, found = r, append(found, full)
		}
	}
	return run, checkUnique(name, found)
}

// log reads the log of a step's attempt from an offset.
func (o *workflowSource) log(cmd *cobra.Command, run *workflow.Run, step string, attempt int, from int64) (part workflow.LogPart, err error) {
	if err := o.choose(cmd); err != nil {
		return part, err
	}
	if o.folder {
		again, err := o.find(cmd, run.Namespace+"/"+run.Name) // read again: the run may have progressed
		if err != nil {
			return part, err
		}
		return again.Log(step, attempt, from)
	}
	q := url.Values{"step": {step}, "attempt": {strconv.Itoa(attempt)}, "from": {strconv.FormatInt(from, 10)}}
	err = o.get(cmd.Context(), runPath(run.Namespace, run.Name)+"/log", q, &part)
	return part, err
}
