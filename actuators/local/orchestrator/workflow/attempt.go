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

// The files of an attempt are at DIR/NAME/FILE in its folder, with the same FILE as on a
// cluster.
const (
	inDir        = "in"
	outDir       = "out"
	parameterDir = "parameters"
)

func (r *run) attemptDir(n *node, i int) string {
	return filepath.Join(r.dir, fmt.Sprintf("%s.%d", n.folder(), i))
}

func (r *run) logPath(n *node, i int) string { return filepath.Join(r.attemptDir(n, i), logName) }

// logLocation describes where an attempt's log is.
func (r *run) logLocation(n *node, i int, a *attempt) string {
	if r.runner.opts.Launcher != nil {
		return "that of pod " + a.Pod
	}
	return r.logPath(n, i)
}

func artifactPath(dir, side, name, path string) string {
	return filepath.Join(dir, side, name, filepath.Base(path))
}

// startAttempt starts the next attempt of a step, and reports whether the step has changed.
// The attempt is saved before its process starts.
func (r *run) startAttempt(n *node) bool {
	r.mu.Lock()
	s := r.step(n)
	i := len(s.Attempts)
	inputs, err := r.inputs(n)
	sources := r.inputFiles(n)
	a := &attempt{UID: newUID(), Pod: r.podName(n, i), Phase: Running, StartedAt: r.runner.opts.Clock.Now()}
	as, version := r.placerPod(n, a), r.placementVersion
	r.mu.Unlock()
	if err != nil {
		return r.failStep(n, err)
	}
	if place := r.runner.opts.Place; place != nil {
		if a.Node, err = place.Place(as); err != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.setPending(s, err.Error())
			r.save()
			return false
		}
	}
	r.mu.Lock()
	if r.placementVersion != version { // the node was chosen for an outdated placement
		r.mu.Unlock()
		r.release(a)
		r.wakeUp()
		return false
	}
	s.Attempts, s.Inputs, s.Phase, s.Message = append(s.Attempts, a), inputs, Running, ""
	if s.StartedAt.IsZero() {
		s.StartedAt = a.StartedAt
	}
	r.dirty = true
	r.save()
	if r.dirty { // it is not on disk: after a crash, the next Runner would start the attempt a second time
		s.Attempts = s.Attempts[:i]
		r.setPending(s, "waits until it can be written down")
		r.mu.Unlock()
		r.release(a)
		return false
	}
	r.mu.Unlock()
	err = r.prepare(n, i, sources)

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runner.ctx.Err() != nil { // the next Runner starts it
		s.Attempts, r.dirty = s.Attempts[:i], true
		r.setPending(s, "waits for its orchestrator")
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
	r.runner.opts.Log.Info("step begins", "run", r.rec.Name, "step", n.folder(), "attempt", i+1, "log", r.logPath(n, i))
	return true
}

// failStep ends a step that can't be started.
func (r *run) failStep(n *node, err error) bool {
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

// podName returns the name of an attempt's pod, which is its HOSTNAME.
func (r *run) podName(n *node, i int) string {
	return fmt.Sprintf("%s-%s-%d", r.rec.Name, strings.ToLower(strings.ReplaceAll(n.folder(), ".", "-")), i)
}

// prepare creates an attempt's folder with copies of its input files: as on a cluster,
// other steps don't see what a step does to them.
func (r *run) prepare(n *node, i int, sources map[string]string) error {
	dir := r.attemptDir(n, i)
	if err := os.RemoveAll(dir); err != nil { // of an attempt that was dropped before it started
		return fmt.Errorf("lay out its folder: %w", err)
	}
	for _, a := range n.template.Inputs.Artifacts {
		to := artifactPath(dir, inDir, a.Name, a.Path)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return fmt.Errorf("lay out its folder: %w", err)
		}
		if sources[a.Name] == "" { // an optional artifact that is missing
			continue
		}
		if err := copyFiles(r.runner.ctx, sources[a.Name], to); err != nil {
			return fmt.Errorf("input artifact %s: %w", a.Name, err)
		}
	}
	for _, a := range n.template.Outputs.Artifacts {
		if err := os.MkdirAll(filepath.Dir(artifactPath(dir, outDir, a.Name, a.Path)), 0o700); err != nil {
			return fmt.Errorf("lay out its folder: %w", err)
		}
	}
	for _, p := range n.template.Outputs.Parameters {
		if err := os.MkdirAll(filepath.Dir(artifactPath(dir, parameterDir, p.Name, p.ValueFrom.Path)), 0o700); err != nil {
			return fmt.Errorf("lay out its folder: %w", err)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("lay out its folder: %w", err)
	}
	return nil
}

// config returns the configuration of an attempt's pod. mu is held.
func (r *run) config(n *node, i int, a *attempt) (pod.Config, error) {
	dir := r.attemptDir(n, i)
	known := r.globalScope()
	for name, value := range r.step(n).Inputs {
		known["inputs.parameters."+name] = value
	}
	for _, in := range n.template.Inputs.Artifacts {
		known["inputs.artifacts."+in.Name+".path"] = artifactPath(dir, inDir, in.Name, in.Path)
	}
	for _, out := range n.template.Outputs.Artifacts {
		known["outputs.artifacts."+out.Name+".path"] = artifactPath(dir, outDir, out.Name, out.Path)
	}
	for _, p := range n.template.Outputs.Parameters {
		known["outputs.parameters."+p.Name+".path"] = artifactPath(dir, parameterDir, p.Name, p.ValueFrom.Path)
	}
	as := r.placerPod(n, a)
	paths, fields := referenceFields(&as.Spec.Containers[0])
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
		OnChange: func(s pod.Status) { r.onStatus(n, i, a, s) },
	}, nil
}

// onStatus handles a new status of a process. It is called from the pod's goroutine.
func (r *run) onStatus(n *node, i int, a *attempt, s pod.Status) {
	r.mu.Lock()
	if s.PID != 0 && (a.PID != s.PID || a.StartID != s.StartID) {
		a.PID, a.StartID, r.dirty = s.PID, s.StartID, true
	}
	ended := s.Phase == corev1.PodSucceeded || s.Phase == corev1.PodFailed
	if ended && !a.Phase.Ended() {
		r.recordExit(a, s)
		r.dirty = true
		delete(r.pods, a.UID)
		delete(r.terminating, a.UID)
	}
	r.save()
	r.mu.Unlock()
	if ended {
		r.release(a)
		if err := os.RemoveAll(filepath.Join(r.attemptDir(n, i), inDir)); err != nil {
			r.runner.opts.Log.Warn("copies of a step's input files stay behind", "run", r.rec.Name, "step", n.folder(), "error", err)
		}
	}
	r.wakeUp()
}
