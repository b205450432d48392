package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/clusterview"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// transientFor is how long a pod may be in a state that every pod passes through (its
// containers are created, it runs and is not ready) before that is an obstacle.
const transientFor = 20 * time.Second

// mostReasons bounds the different reasons of pods that an obstacle has.
const mostReasons = 2

// waiting is an object whose pods an act waits for.
type waiting struct {
	id         engine.TargetID
	apiVersion string
	identity   string // of the act
	wanted     int    // pods
	// failed has what its conditions report as failed; firm where its controller can't make
	// pods, so that it counts before the reasons of pods.
	failed string
	firm   bool
	// setting is a setting of the object that keeps the act from its end; "" is none.
	setting string
	unseen  bool // its controller has not seen its newest generation
	// counts reports whether a pod is one that the act waits for; nil counts all.
	counts func(*clusterview.PodObstacle) bool
}

// obstacle returns what keeps the pods of an object from being ready, in the words of the
// object, of its pods or, after some seconds without any, of the Events; "" where nothing
// does.
func (c *Cluster) obstacle(ctx context.Context, w *waiting) string {
	var texts []string
	if w.firm {
		texts = append(texts, w.failed)
	}
	if w.setting != "" {
		texts = append(texts, w.setting)
	}
	var pods []clusterview.PodObstacle
	have := 0
	if c.View != nil {
		pods, have = c.View.PodObstacles(w.id)
	}
	if w.counts != nil {
		pods = slices.DeleteFunc(pods, func(p clusterview.PodObstacle) bool { return !w.counts(&p) })
	}
	now := c.Clock.Now()
	hard := mostFrequent(pods, func(p *clusterview.PodObstacle) bool { return !p.Transient })
	if texts = append(texts, hard...); len(texts) == 0 && w.failed != "" {
		texts = append(texts, w.failed)
	}
	missing := have < w.wanted && !reportsMissing(w)
	if len(texts) > 0 && (w.firm || !missing) {
		return strings.Join(texts, "; ")
	}
	one, due := c.lookups.of(w.identity, now)
	if due {
		one.missing, one.starting = "", ""
		if missing {
			one.missing = c.missingPods(ctx, w, one.first)
		}
		if one.missing == "" && len(texts) == 0 {
			one.starting = c.startingPod(ctx, w.id.Namespace, pods, now)
		}
	}
	if missing && one.missing != "" {
		texts = append([]string{one.missing}, texts...)
	}
	if len(texts) > 0 {
		return strings.Join(texts, "; ")
	}
	lasts := func(p *clusterview.PodObstacle) bool { return now.Sub(p.Since) >= transientFor }
	texts = mostFrequent(pods, func(p *clusterview.PodObstacle) bool { return !p.Terminating && lasts(p) })
	if len(texts) == 0 {
		texts = mostFrequent(pods, func(p *clusterview.PodObstacle) bool { return p.Terminating && lasts(p) })
	}
	switch {
	case one.starting != "":
		texts = append(texts, one.starting)
	case len(texts) == 0 && w.unseen && now.Sub(one.first) >= transientFor:
		texts = append(texts, "its controller has not taken up the change: is it running?")
	}
	return strings.Join(texts, "; ")
}

// mostFrequent returns the most frequent reasons of some of the pods, with their counts.
func mostFrequent(pods []clusterview.PodObstacle, of func(*clusterview.PodObstacle) bool) []string {
	count := map[string]int{}
	var reasons []string
	for i := range pods {
		if !of(&pods[i]) {
			continue
		}
		if count[pods[i].Reason]++; count[pods[i].Reason] == 1 {
			reasons = append(reasons, pods[i].Reason)
		}
	}
	slices.SortFunc(reasons, func(a, b string) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
	})
	var out []string
	for _, r := range reasons[:min(len(reasons), mostReasons)] {
		noun := "pods"
		if count[r] == 1 {
			noun = "pod"
		}
		out = append(out, fmt.Sprintf("%d %s %s", count[r], noun, r))
	}
	return out
}

// scaleObstacle returns what keeps a scaled object from its replicas.
func (c *Cluster) scaleObstacle(ctx context.Context, change *engine.Change, w objectPatch, now *clusterview.Scalable) string {
	return c.obstacle(ctx, &waiting{
		id: engine.TargetID{Kind: w.Kind, Namespace: w.Namespace, Name: w.Name}, apiVersion: w.APIVersion, identity: change.Identity,
		wanted: now.Desired, failed: now.Failed, firm: now.FailedFirmly, unseen: now.ObservedGeneration > 0 && now.ObservedGeneration < now.Generation,
	})
}

// rolloutObstacle returns what keeps the new pods of an object from replacing the old ones.
func (c *Cluster) rolloutObstacle(ctx context.Context, change *engine.Change, o *unstructured.Unstructured) string {
	w := waiting{
		id: engine.TargetID{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName()}, apiVersion: o.GetAPIVersion(), identity: change.Identity,
		setting: rolloutSetting(o),
	}
	w.wanted = 1
	for _, path := range [][]any{{"spec", "replicas"}, {"status", "desiredNumberScheduled"}} {
		if n, has := fieldpath.Int(o.Object, path...); has {
			w.wanted = int(n)
		}
	}
	observed, reports := fieldpath.Int(o.Object, "status", "observedGeneration")
	if w.unseen = reports && observed < o.GetGeneration(); !w.unseen {
		w.failed, w.firm = clusterview.FailedCondition(o.Object)
	}
	w.counts = newPods(o)
	return c.obstacle(ctx, &w)
}

// rolloutSetting returns a setting by which nothing replaces the pods of an object.
func rolloutSetting(o *unstructured.Unstructured) string {
	paused, _, _ := unstructured.NestedBool(o.Object, "spec", "paused")
	strategy := cmp.Or(fieldpath.Text(o.Object, "spec", "updateStrategy", "type"), fieldpath.Text(o.Object, "spec", "updateStrategy"))
	partition, _ := fieldpath.Int(o.Object, "spec", "updateStrategy", "rollingUpdate", "partition")
	switch {
	case paused:
		return "its rollouts are paused (spec.paused)"
	case strategy == "OnDelete":
		return "its pods are replaced only once somebody deletes them (spec.updateStrategy OnDelete)"
	case partition > 0 && o.GetKind() == "StatefulSet":
		return fmt.Sprintf("its pods with an ordinal below %d stay as they are (spec.updateStrategy.rollingUpdate.partition)", partition)
	}
	return ""
}

// newPods returns whether a pod is of the newest template of an object, by what its controller
// says of it; nil where that is not known.
func newPods(o *unstructured.Unstructured) func(*clusterview.PodObstacle) bool {
	label := func(name, value string) func(*clusterview.PodObstacle) bool {
		if value == "" {
			return nil
		}
		// A pod that is being deleted keeps a new one from its name.
		return func(p *clusterview.PodObstacle) bool { return p.Terminating || p.Labels[name] == value }
	}
	switch kindOf(o) {
	case "Deployment.apps":
		set := newReplicaSet(o)
		if set == "" {
			return nil
		}
		return func(p *clusterview.PodObstacle) bool { return p.Owner == set }
	case "StatefulSet.apps":
		return label("controller-revision-hash", fieldpath.Text(o.Object, "status", "updateRevision"))
	case "DaemonSet.apps":
		return label("pod-template-generation", o.GetAnnotations()["deprecated.daemonset.template.generation"])
	case "Rollout." + argoGroup:
		return label("rollouts-pod-template-hash", fieldpath.Text(o.Object, "status", "currentPodHash"))
	}
	return nil
}

// newReplicaSet returns the name of a Deployment's ReplicaSet for its newest template, which
// only the message of its condition Progressing has; "" where there is none.
func newReplicaSet(o *unstructured.Unstructured) string {
	for _, c := range fieldpath.Maps(o.Object, "status", "conditions") {
		if fieldpath.Text(c, "type") != "Progressing" {
			continue
		}
		if _, rest, quoted := strings.Cut(fieldpath.Text(c, "message"), `"`); quoted {
			name, _, _ := strings.Cut(rest, `"`)
			if strings.HasPrefix(name, o.GetName()+"-") {
				return name
			}
		}
	}
	return ""
}
