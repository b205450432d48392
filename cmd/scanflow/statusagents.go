package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/lease"
	"github.com/scanflow-k8s/scanflow/engine/manifest"
)

// replicaStatus is a pod of an installation.
type replicaStatus struct {
	Name     string `json:"name"`
	Phase    string `json:"phase"`
	Ready    bool   `json:"ready"`
	Restarts int64  `json:"restarts"`
	// Leads has the shards that it leads.
	Leads []string `json:"leads,omitempty"`
}

// agentStatus is an Agent as the last leader wrote its status.
type agentStatus struct {
	Agent      string               `json:"agent"`
	Mode       string               `json:"mode"`
	Targets    int                  `json:"targets"`
	Conditions []manifest.Condition `json:"conditions"`
}

// replicaLabel selects the pods of the chart.
const replicaLabel = "app.kubernetes.io/name=scanflow"

// readReplicas lists the pods. Where they can't be listed, the rest is still shown.
func (i *installations) readReplicas(ctx context.Context, client *apiclient.Client) {
	list, err := client.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"}).Namespace(i.Namespace).
		List(ctx, metav1.ListOptions{LabelSelector: replicaLabel})
	if err != nil {
		i.Unread = append(i.Unread, fmt.Sprintf("the pods of the namespace %s: %v", i.Namespace, err))
		return
	}
	for _, pod := range list.Items {
		r := replicaStatus{Name: pod.GetName()}
		r.Phase, _, _ = unstructured.NestedString(pod.Object, "status", "phase")
		containers, _, _ := unstructured.NestedSlice(pod.Object, "status", "containerStatuses")
		for _, c := range containers {
			status, _ := c.(map[string]any)
			n, _, _ := unstructured.NestedInt64(status, "restartCount")
			r.Restarts += n
		}
		conditions, _, _ := unstructured.NestedSlice(pod.Object, "status", "conditions")
		for _, c := range conditions {
			condition, _ := c.(map[string]any)
			r.Ready = r.Ready || condition["type"] == "Ready" && condition["status"] == "True"
		}
		for _, s := range i.Shards {
			if s.Leads && strings.HasPrefix(s.Holder, r.Name+"_") {
				r.Leads = append(r.Leads, s.name())
			}
		}
		i.Replicas = append(i.Replicas, r)
	}
}

// readAgents lists the agents that the installations serve.
func (i *installations) readAgents(ctx context.Context, client *apiclient.Client) {
	seen := map[string]bool{}
	for _, scope := range i.scopes() {
		list, err := client.Dynamic.Resource(agentResource()).Namespace(scope.Namespace).List(ctx, metav1.ListOptions{LabelSelector: scope.Agents})
		if err != nil {
			i.Unread = append(i.Unread, fmt.Sprintf("the agents of %s: %v", scope, err))
			continue
		}
		for _, object := range list.Items {
			agent := agentOf(object.Object)
			agent.Agent = object.GetNamespace() + "/" + object.GetName()
			if !seen[agent.Agent] {
				seen[agent.Agent] = true
				i.Agents = append(i.Agents, agent)
			}
		}
	}
	slices.SortFunc(i.Agents, func(a, b agentStatus) int { return strings.Compare(a.Agent, b.Agent) })
}

// scopes returns the scopes of the installations, from their Leases. An installation without one
// serves its own namespace.
func (i *installations) scopes() (out []lease.Scope) {
	for _, s := range i.Shards {
		scope := lease.Scope{Namespace: i.Namespace}
		if s.Scope != nil {
			scope = lease.Scope{Namespace: s.Scope.Namespace, Agents: s.Scope.Agents}
		}
		if !slices.Contains(out, scope) {
			out = append(out, scope)
		}
	}
	if len(out) == 0 {
		out = append(out, lease.Scope{Namespace: i.Namespace})
	}
	return out
}

func agentResource() schema.GroupVersionResource {
	gv, _ := schema.ParseGroupVersion(manifest.APIVersion) // a constant
	return gv.WithResource(manifest.Plural)
}

func agentOf(object map[string]any) agentStatus {
	var read struct {
		Spec   struct{ Mode string }
		Status manifest.Status
	}
	if raw, err := json.Marshal(object); err == nil {
		_ = json.Unmarshal(raw, &read) // a malformed status is shown as none
	}
	conditions := read.Status.Conditions
	if conditions == nil {
		conditions = []manifest.Condition{}
	}
	return agentStatus{Mode: cmp.Or(read.Spec.Mode, "enforce"), Targets: read.Status.Targets, Conditions: conditions}
}

// faults are the conditions that say that something is wrong, as sentences.
func (a agentStatus) faults() (out []string) {
	for _, c := range a.Conditions {
		good := "True"
		if c.Type == "Stalled" || c.Type == "Reconciling" {
			good = "False"
		}
		if c.Status != good || c.Type == manifest.Running && c.Reason != manifest.Running {
			out = append(out, fmt.Sprintf("%s %s=%s, %s: %s", a.Agent, c.Type, c.Status, c.Reason, c.Message))
		}
	}
	return out
}
