package kubernetes

import (
	"fmt"

	"github.com/scanflow-k8s/scanflow/actuators/verbparams"
	"github.com/scanflow-k8s/scanflow/engine"
)

// checkWritable refuses kinds that no policy may write, whatever rights this process has. Plan
// and act both ask: a change may have been planned, and approved, before a kind was protected.
func checkWritable(verb, apiVersion, kind, namespace, name string) error {
	if reason := verbparams.Protected(apiVersion, kind); reason != "" {
		return fmt.Errorf("%s %s %s/%s: %s; let a person write it", verb, kind, namespace, name, verbparams.ProtectedMessage(apiVersion, kind, reason))
	}
	return nil
}

// checkPlanned is checkWritable for what a change writes.
func checkPlanned(c engine.Change, verb string) error {
	plan, err := engine.ReadPlan[patchPlan](c)
	if err != nil {
		return err
	}
	w := plan.Write
	return checkWritable(verb, w.APIVersion, w.Kind, w.Namespace, w.Name)
}
