package kubernetes

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

const hostnameLabel = "kubernetes.io/hostname"

// cannotMove lists the terms that can't be combined with move. Another label than the
// hostname would require the right to read nodes.
func cannotMove(p verbparams.Placement) (mistakes []string) {
	for _, a := range affinitiesOf(p) {
		field := "antiAffinity"
		if a.field == "podAffinity" {
			field = "affinity"
		}
		if a.near.TopologyKey != hostnameLabel {
			mistakes = append(mistakes, fmt.Sprintf("with.%s.topologyKey: with move it can only be %s, by which pods themselves tell where they are; leave move out", field, hostnameLabel))
		}
	}
	for label := range p.NodeSelector {
		if label != hostnameLabel {
			mistakes = append(mistakes, fmt.Sprintf("with.nodeSelector.%s: with move it can only be %s, by which pods themselves tell where they are; leave move out", label, hostnameLabel))
		}
	}
	return mistakes
}

// nearbyPods are the pods that the required affinity terms of a placement select.
type nearbyPods struct {
	away, near map[string][]string // by node: names; nil without such a term
}

// podsAround lists them once for all runs.
func (a placer) podsAround(ctx context.Context, namespace string, p verbparams.Placement) (*nearbyPods, error) {
	var out nearbyPods
	for _, of := range affinitiesOf(p) {
		if !of.near.Required { // a preferred term forbids no node
			continue
		}
		namespaces := of.near.Namespaces
		if len(namespaces) == 0 {
			namespaces = []string{namespace}
		}
		on := map[string][]string{}
		for _, ns := range namespaces {
			list, err := a.podsOf(ctx, ns, labels.SelectorFromSet(of.near.MatchLabels).String())
			if err != nil {
				return nil, err
			}
			for i := range list {
				if o := &list[i]; !podEnded(o) && o.GetDeletionTimestamp() == nil && nodeOf(o) != "" {
					on[nodeOf(o)] = append(on[nodeOf(o)], ns+"/"+o.GetName())
				}
			}
		}
		if of.field == "podAffinity" {
			out.near = on
		} else {
			out.away = on
		}
	}
	return &out, nil
}

// violation says why a pod may not be on its node, or is "". Its template's own node
// selector replaces the run's, so the caller leaves that out.
func (x *nearbyPods) violation(o *unstructured.Unstructured, selector map[string]string) string {
	node := nodeOf(o)
	self := o.GetNamespace() + "/" + o.GetName()
	others := func(list []string) (out []string) {
		for _, name := range list {
			if name != self {
				out = append(out, name)
			}
		}
		return out
	}
	if want := selector[hostnameLabel]; want != "" && want != node {
		return "nodeSelector wants " + want
	}
	if list := others(x.away[node]); len(list) > 0 {
		return "anti-affinity with pod " + list[0]
	}
	if x.near != nil && len(others(x.near[node])) == 0 {
		return "none of the pods that it must be near to is there"
	}
	return ""
}

// podsOf lists pods by a label selector.
func (c *Cluster) podsOf(ctx context.Context, namespace, selector string) ([]unstructured.Unstructured, error) {
	mapping, err := c.Client.Kinds.Find("v1", "Pod")
	if err != nil {
		return nil, err
	}
	list, err := c.resource(mapping, namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, apiclient.Classify(fmt.Errorf("list pods of %s with %s: %w", namespace, selector, err))
	}
	return list.Items, nil
}

func nodeOf(pod *unstructured.Unstructured) string {
	return fieldpath.Text(pod.Object, "spec", "nodeName")
}

func podEnded(pod *unstructured.Unstructured) bool {
	phase := fieldpath.Text(pod.Object, "status", "phase")
	return phase == "Succeeded" || phase == "Failed"
}
