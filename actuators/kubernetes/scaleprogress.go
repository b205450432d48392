package kubernetes

import (
	"fmt"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
)

// scaleProgress reports whether an object has the wanted number of replicas, and what was
// seen. It goes by what the kind reports:
//
//	ready replicas       as many are ready as are wanted
//	replicas alone       as many exist as are wanted, and no pod that its selector selects is unready
//	neither, but pods    as many of its pods are ready as are wanted
//
// A status that is about an earlier generation counts for nothing.
func scaleProgress(now clusterview.Scalable, wanted int) (done bool, detail string) {
	current := now.ObservedGeneration >= now.Generation
	if now.ReadyPath != "" {
		return current && now.Ready == wanted, fmt.Sprintf("%d of %d ready", now.Ready, wanted) + unlessUsual(now.ReadyPath)
	}
	allReady := now.Pods == now.ReadyPods
	if !now.CurrentKnown && now.Pods > 0 {
		return current && allReady && now.Pods == wanted, fmt.Sprintf("%d of %d pods ready", now.ReadyPods, wanted)
	}
	detail = fmt.Sprintf("%d of %d there (%s; the kind reports no ready ones)", now.Current, wanted, now.CurrentPath)
	if now.Pods > 0 {
		detail = fmt.Sprintf("%d of %d there (%s), %d of %d pods ready", now.Current, wanted, now.CurrentPath, now.ReadyPods, now.Pods)
	}
	return current && now.Current == wanted && allReady, detail
}

// usualReady are the fields that need no mention.
var usualReady = map[string]bool{"status.readyReplicas": true, "status.numberReady": true, "status.ready": true}

func unlessUsual(path string) string {
	if usualReady[path] {
		return ""
	}
	return " (" + path + ")"
}
