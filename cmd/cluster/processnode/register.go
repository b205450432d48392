package processnode

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// register creates the Node, or takes over the one of an earlier run. It retries while the
// API server is unavailable.
func (n *node) register(ctx context.Context) error {
	for {
		err := n.tryRegister(ctx)
		if err == nil || !engine.IsRetryable(apiclient.Classify(err)) || ctx.Err() != nil {
			return err
		}
		n.Log.Warn("can't register yet", "node", n.Name, "error", err)
		if !engine.Sleep(ctx, n.Clock, time.Second) {
			return ctx.Err()
		}
	}
}

func (n *node) tryRegister(ctx context.Context) error {
	labels := map[string]string{corev1.LabelHostname: n.Name, corev1.LabelOSStable: runtime.GOOS, corev1.LabelArchStable: runtime.GOARCH}
	maps.Copy(labels, n.Labels)
	_, err := n.core.Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: labels}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		err = n.patchNode(ctx, map[string]any{"metadata": map[string]any{"labels": labels}})
	}
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	if err := n.renew(ctx); err != nil {
		return err
	}
	return n.setReady(ctx, true)
}

func (n *node) patchNode(ctx context.Context, patch any, subresources ...string) error {
	raw, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	_, err = n.core.Nodes().Patch(ctx, n.Name, types.StrategicMergePatchType, raw, metav1.PatchOptions{}, subresources...)
	return err
}

// setReady writes the node's complete status.
func (n *node) setReady(ctx context.Context, ready bool) error {
	now := metav1.NewTime(n.Clock.Now())
	current, err := n.core.Nodes().Get(ctx, n.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("report the node's status: %w", err)
	}
	condition := func(kind corev1.NodeConditionType, holds bool, reason, message string) corev1.NodeCondition {
		c := corev1.NodeCondition{Type: kind, Status: corev1.ConditionFalse, Reason: reason, Message: message, LastHeartbeatTime: now, LastTransitionTime: now}
		if holds {
			c.Status = corev1.ConditionTrue
		}
		for _, o := range current.Status.Conditions {
			if o.Type == kind && o.Status == c.Status {
				c.LastTransitionTime = o.LastTransitionTime
			}
		}
		return c
	}
	state := condition(corev1.NodeReady, true, "NodeReady", "pods are run as processes")
	if !ready {
		state = condition(corev1.NodeReady, false, "NodeStopped", "the node's process was told to end")
	}
	status := corev1.NodeStatus{
		Capacity: n.Capacity, Allocatable: n.Capacity,
		Conditions: []corev1.NodeCondition{
			condition(corev1.NodeMemoryPressure, false, "NotWatched", "the node does not watch this"),
			condition(corev1.NodeDiskPressure, false, "NotWatched", "the node does not watch this"),
			condition(corev1.NodePIDPressure, false, "NotWatched", "the node does not watch this"),
			state,
		},
		// Without Hostname, which the API server would prefer, and which can't be resolved.
		Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: n.addresses.host.String()}},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: nodePort}},
		NodeInfo: corev1.NodeSystemInfo{
			OperatingSystem: runtime.GOOS, Architecture: runtime.GOARCH, ContainerRuntimeVersion: "process://1", KubeletVersion: "process-node",
		},
	}
	if err := n.patchNode(ctx, map[string]any{"status": status}, "status"); err != nil {
		return fmt.Errorf("report the node's status: %w", err)
	}
	return nil
}

// heartbeat renews the node's Lease, and restores its status if the control plane has
// marked the node as lost meanwhile.
func (n *node) heartbeat(ctx context.Context) {
	for engine.Sleep(ctx, n.Clock, n.Heartbeat) {
		err := n.renew(ctx)
		if err == nil {
			err = n.ensureReady(ctx)
		}
		if err != nil && ctx.Err() == nil {
			n.Log.Warn("heartbeat failed", "node", n.Name, "error", err)
		}
	}
}

func (n *node) ensureReady(ctx context.Context) error {
	now, err := n.core.Nodes().Get(ctx, n.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return n.tryRegister(ctx) // it was deleted, and the scheduler needs it
	}
	if err != nil {
		return fmt.Errorf("read the node's status: %w", err)
	}
	for _, c := range now.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return n.setReady(ctx, true)
}

func (n *node) renew(ctx context.Context) error {
	seconds := max(40, int32(4*n.Heartbeat/time.Second))
	now := metav1.NewMicroTime(n.Clock.Now())
	lease, err := n.leases.Get(ctx, n.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = n.leases.Create(ctx, &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: n.Name},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &n.Name, LeaseDurationSeconds: &seconds, RenewTime: &now},
		}, metav1.CreateOptions{})
	} else if err == nil {
		lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds, lease.Spec.RenewTime = &n.Name, &seconds, &now
		_, err = n.leases.Update(ctx, lease, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("renew the node's lease: %w", err)
	}
	return nil
}
