package workflow

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

// Where the files of an attempt lie in its folder: DIR/NAME/FILE, FILE being called
// as on a cluster.
const (
	inDir        = "in"
	outDir       = "out"
	parameterDir = "parameters"
)

func (r *run) attemptDir(n *node, i int) string {
	return filepath.Join(r.dir, fmt.Sprintf("%s.%d", n.folder(), i))
}

func (r *run) logOf(n *node, i int) string { return filepath.Join(r.attemptDir(n, i), logName) }

// logWords say where an attempt's log is.
func (r *run) logWords(n *node, i int, a *attempt) string {
	if r.runner.opts.Processes != nil {
		return "that of pod " + a.Pod
	}
	return r.logOf(n, i)
}

func fileIn(dir, side, name, path string) string {
	return filepath.Join(dir, side, name, filepath.Base(path))
}

// begin makes one more attempt at a step, and tells whether it could. Nothing starts
// that is not written down first.
func (r *run) begin(n *node) bool {
	r.mu.Lock()
	s := r.step(n)
	i := len(s.Attempts)
	inputs, err := r.inputs(n)
	sources := r.sources(n)
	a := &attempt{UID: newUID(), Pod: r.podName(n, i), Phase: Running, StartedAt: r.runner.opts.Clock.Now()}
	as, placed := r.pod(n, a), r.placed
	r.mu.Unlock()
	if err != nil {
		return r.cannot(n, err)
	}
	if place := r.runner.opts.Place; place != nil {
		if a.Node, err = place.Place(as); err != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.pending(s, err.Error())
			r.save()
			return false
		}
	}
	r.mu.Lock()
	if r.placed != placed { // the node was chosen by terms that no longer hold
		r.mu.Unlock()
		r.release(a)
		r.poke()
		return false
	}
	s.Attempts, s.Inputs, s.Phase, s.Message = append(s.Attempts, a), inputs, Running, ""
	if s.StartedAt.IsZero() {
		s.StartedAt = a.StartedAt
	}
	r.dirty = true
	r.save()
	if r.dirty { // it is not on disk: a process that nobody knows of might be the second
		s.Attempts = s.Attempts[:i]
		r.pending(s, "waits until it can be written down")
		r.mu.Unlock()
		r.release(a)
		return false
	}
	r.mu.Unlock()
	err = r.prepare(n, i, sources)

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runner.ctx.Err() != nil { // the next Runner makes it
		s.Attempts, r.dirty = s.Attempts[:i], true
		r.pending(s, "waits for its orchestrator")
		r.save()
		r.release(a)
		return false
	}
	var p Process
	if err == nil {
		p, err = r.start(n, i, a, false)
	}
	if err != nil {
		a.Phase, a.Message, a.FinishedAt, r.dirty = Error, err.Error(), r.runner.opts.Clock.Now(), true
		r.release(a)
		return true
	}
	r.pods[a.UID] = p
	r.runner.opts.Log.Info("step begins", "run", r.rec.Name, "step", n.folder(), "attempt", i+1, "log", r.logOf(n, i))
	return true
}

// cannot ends a step that can't be begun at all.
func (r *run) cannot(n *node, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.step(n).end(Error, err.Error(), r.runner.opts.Clock.Now())
	r.dirty = true
	return true
}

func (r *run) release(a *attempt) {
	if place := r.runner.opts.Place; place != nil {
		place.Release(a.UID)
	}
}

// podName is what the process is called: it is its HOSTNAME.
func (r *run) podName(n *node, i int) string {
	return fmt.Sprintf("%s-%s-%d", r.rec.Name, strings.ToLower(strings.ReplaceAll(n.folder(), ".", "-")), i)
}

// prepare lays out an attempt's folder, with copies of the files that it is handed: on
// a cluster too, what a step does to them is nobody else's business.
func (r *run) prepare(n *node, i int, sources map[string]string) error {
	dir := r.attemptDir(n, i)
	if err := os.RemoveAll(dir); err != nil { // of one that was not gone on with
		return fmt.Errorf("lay out its folder: %w", err)
	}
	for _, a := range n.template.Inputs.Artifacts {
		to := fileIn(dir, inDir, a.Name, a.Path)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return fmt.Errorf("lay out its folder: %w", err)
		}
		if sources[a.Name] == "" { // an optional one
			continue
		}
		if err := copyFiles(r.runner.ctx, sources[a.Name], to); err != nil {
			return fmt.Errorf("input artifact %s: %w", a.Name, err)
		}
	}
	for _, a := range n.template.Outputs.Artifacts {
		if err := os.MkdirAll(filepath.Dir(fileIn(dir, outDir, a.Name, a.Path)), 0o700); err != nil {
			return fmt.Errorf("lay out its folder: %w", err)
		}
	}
	for _, p := range n.template.Outputs.Parameters {
		if err := os.MkdirAll(filepath.Dir(fileIn(dir, parameterDir, p.Name, p.ValueFrom.Path)), 0o700); err != nil {
			return fmt.Errorf("lay out its folder: %w", err)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("lay out its folder: %w", err)
	}
	return nil
}

// config is the process to run. mu is held.
func (r *run) config(n *node, i int, a *attempt) (pod.Config, error) {
	dir := r.attemptDir(n, i)
	known := r.everywhere()
	for name, value := range r.step(n).Inputs {
		known["inputs.parameters."+name] = value
	}
	for _, in := range n.template.Inputs.Artifacts {
		known["inputs.artifacts."+in.Name+".path"] = fileIn(dir, inDir, in.Name, in.Path)
	}
	for _, out := range n.template.Outputs.Artifacts {
		known["outputs.artifacts."+out.Name+".path"] = fileIn(dir, outDir, out.Name, out.Path)
	}
	for _, p := range n.template.Outputs.Parameters {
		known["outputs.parameters."+p.Name+".path"] = fileIn(dir, parameterDir, p.Name, p.ValueFrom.Path)
	}
	as := r.pod(n, a)
	paths, fields := texts(&as.Spec.Containers[0])
	for j, field := range fields {
		value, err := known.substitute(*field)
		if err != nil {
			return pod.Config{}, fmt.Errorf("%s: %w", paths[j], err)
		}
		*field = value
	}
	annotations := map[string]string{}
	for _, m := range []*Metadata{r.rec.Template.Spec.PodMetadata, n.template.Metadata} {
		if m != nil {
			maps.Copy(annotations, m.Annotations)
		}
	}
	o := &r.runner.opts
	var cores pod.Cores
	if o.Place != nil {
		cores = o.Place.Cores(a.Node)
	}
	return pod.Config{
		Namespace: r.rec.Namespace, Name: a.Pod, Node: a.Node, UID: a.UID, Labels: as.Labels, Annotations: annotations, Spec: *as.Spec, Cores: cores,
		LogPath: filepath.Join(dir, logName), ExitPath: filepath.Join(dir, exitName), Self: o.Self,
		KillWithParent: o.KillWithParent, Clock: o.Clock, Log: o.Log,
		OnChange: func(s pod.Status) { r.observe(n, i, a, s) },
	}, nil
}

// observe takes a process' new status, in the pod's own goroutine.
func (r *run) observe(n *node, i int, a *attempt, s pod.Status) {
	r.mu.Lock()
	if s.PID != 0 && (a.PID != s.PID || a.StartID != s.StartID) {
		a.PID, a.StartID, r.dirty = s.PID, s.StartID, true
	}
	ended := s.Phase == corev1.PodSucceeded || s.Phase == corev1.PodFailed
	if ended && !a.Phase.Ended() {
		r.settle(a, s)
		r.dirty = true
		delete(r.pods, a.UID)
		delete(r.going, a.UID)
	}
	r.save()
	r.mu.Unlock()
	if ended {
		r.release(a)
		if err := os.RemoveAll(filepath.Join(r.attemptDir(n, i), inDir)); err != nil {
			r.runner.opts.Log.Warn("copies of a step's input files stay behind", "run", r.rec.Name, "step", n.folder(), "error", err)
		}
	}
	r.poke()
}
