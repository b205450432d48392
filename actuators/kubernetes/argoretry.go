package kubernetes

import (
	"fmt"
	"strconv"
	"time"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/fieldpath"
)

// retryFix is the advice for a step that can't be moved.
const retryFix = "give it retryStrategy: {limit: N, retryPolicy: Always}"

// notRetriedBecause says why Argo would not retry a step whose pod is evicted, or is "". To
// Argo's controller an evicted pod is Failed if it saw it end, and otherwise an Error, "pod
// deleted" (inferFailedReason and podReconciliation in workflow/controller/operator.go of
// v3.7). Only the policy Always retries both (processNodeRetries). Each eviction uses up one
// of the attempts that limit allows.
func (r *argoRun) notRetriedBecause(id string, now time.Time) string {
	node := r.nodes[id]
	if node == nil {
		return "Argo shows no node of its pod yet; try again"
	}
	template := r.templateOf(node)
	if template == nil {
		return fmt.Sprintf("its template %v is not in the Workflow, so that nobody can tell whether it would be tried again", node["templateName"])
	}
	strategy, _ := template["retryStrategy"].(map[string]any)
	if strategy == nil {
		strategy, _ = r.spec["retryStrategy"].(map[string]any)
	}
	parent, attempts := r.retryNode(id)
	policy, _ := strategy["retryPolicy"].(string)
	switch {
	case strategy == nil || parent == nil:
		return "it has no retryStrategy, so that it would fail once its pod is evicted; " + retryFix
	case strategy["expression"] != nil && strategy["expression"] != "":
		return "its retryStrategy has an expression, of which nobody can tell here what it comes to; " + retryFix
	case policy != "Always":
		if policy == "" {
			policy = "OnFailure"
		}
		return fmt.Sprintf("its retryStrategy has the retryPolicy %s, which does not cover every end of a pod that is evicted; %s", policy, retryFix)
	}
	if strategy["limit"] != nil {
		limit, err := strconv.Atoi(fmt.Sprint(strategy["limit"]))
		if err != nil {
			return fmt.Sprintf("the limit of its retryStrategy, %v, is no number; write one", strategy["limit"])
		}
		if len(attempts) > limit {
			return fmt.Sprintf("no more retries left after %d of %d, so that it would fail once its pod is evicted; raise the limit of its retryStrategy", len(attempts)-1, limit)
		}
	}
	return r.retryWindowOver(strategy, attempts, now)
}

// retryWindowOver says that the time for all attempts is over, or is "".
func (r *argoRun) retryWindowOver(strategy map[string]any, attempts []string, now time.Time) string {
	text := fieldpath.Text(strategy, "backoff", "maxDuration")
	if text == "" {
		return ""
	}
	most, err := time.ParseDuration(text)
	if seconds, is := strconv.Atoi(text); is == nil {
		most, err = time.Duration(seconds)*time.Second, nil
	}
	first := timeOf(fieldpath.Text(r.nodes[attempts[0]], "startedAt"))
	if err != nil || now.After(first.Add(most)) {
		return fmt.Sprintf("the maxDuration of its retryStrategy, %s, is over, so that it would fail once its pod is evicted; raise it", text)
	}
	return ""
}
