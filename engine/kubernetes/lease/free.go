package lease

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/scanflow-k8s/scanflow/engine/kubernetes/apiclient"
)

// GivenUp reports whether nobody leads by a lease: it was released, or never existed. A lease
// that has only expired does not count, since its holder may come back.
func GivenUp(ctx context.Context, client *apiclient.Client, namespace, name string) (bool, error) {
	leases, err := coordination.NewForConfig(client.Config)
	if err != nil {
		return false, fmt.Errorf("look at lease %s/%s: %w", namespace, name, err)
	}
	there, err := leases.Leases(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err != nil:
		return false, apiclient.Classify(fmt.Errorf("look at lease %s/%s: %w", namespace, name, err))
	}
	return holderOf(there) == "", nil
}
