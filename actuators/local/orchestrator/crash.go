package orchestrator

import (
	"fmt"

	"github.com/scanflow-k8s/scanflow/actuators/local/orchestrator/pod"
)

// CrashPod kills a pod's process with SIGKILL and returns its PID, for demos and tests. The
// pod is restarted as after any crash.
func (o *Orchestrator) CrashPod(namespace, name string) (pid int, err error) {
	o.mu.Lock()
	r := o.replicas[named(namespace, name)]
	var p *pod.Pod
	if r != nil {
		p = r.pod
	}
	o.mu.Unlock()
	if p == nil {
		return 0, fmt.Errorf("crash pod %s/%s: there is no such pod, or it has no process yet", namespace, name)
	}
	if pid, err = p.Crash(); err != nil {
		return 0, fmt.Errorf("crash pod %s/%s: %w", namespace, name, err)
	}
	return pid, nil
}
