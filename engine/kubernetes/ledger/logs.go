package ledger

import (
	"context"
	"fmt"
	"slices"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// Logs returns the names of all logs of an install, sorted: of its current and former shards.
func Logs(ctx context.Context, client *apiclient.Client, namespace, install string) ([]string, error) {
	s, err := newStore(&Options{Client: client, Namespace: namespace})
	if err != nil {
		return nil, err
	}
	heads, err := s.heads(ctx, install)
	if err != nil {
		return nil, apiclient.Classify(fmt.Errorf("list the ledgers of %s: %w", install, err))
	}
	names := make([]string, len(heads))
	for i, h := range heads {
		names[i] = h.name
	}
	slices.Sort(names)
	return names, nil
}
