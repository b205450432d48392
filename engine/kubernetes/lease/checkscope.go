package lease

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/scanflow-k8s/scanflow/engine"
)

// CheckScope returns a *ScopeError if the lease is held by a process that serves another scope
// and renews the lease. A holder that does not renew for the lease's duration is no obstacle.
// It is meant for the start of a process, before Run. A lease that can't be read is left to Run.
func CheckScope(ctx context.Context, o Options) error {
	o, err := o.withDefaults()
	if err != nil {
		return err
	}
	client, err := coordination.NewForConfig(o.Client.Config)
	if err != nil {
		return fmt.Errorf("connect to the Kubernetes API server: %w", err)
	}
	version := ""
	for begin := time.Now(); ctx.Err() == nil; {
		there, err := client.Leases(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{})
		if err == nil {
			conflict, _ := o.conflict(there, o.Identity)
			switch {
			case conflict == nil:
				return nil
			case version == "":
				version = there.ResourceVersion
				o.Log.Warn("another scope has this lease: looking whether its holder is alive", "lease", o.Name, "holder", conflict.Holder, "serves", conflict.HolderScope, "within", durationOf(there))
			case version != there.ResourceVersion:
				return conflict
			case time.Since(begin) >= durationOf(there):
				return nil
			}
		} else if version == "" || apierrors.IsNotFound(err) {
			return nil
		} else if time.Since(begin) > o.Duration {
			return nil
		}
		engine.Sleep(ctx, engine.WallClock{}, o.Retry/2)
	}
	return ctx.Err()
}
