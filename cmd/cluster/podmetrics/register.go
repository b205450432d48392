package podmetrics

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	services    = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
)

const (
	serviceNamespace = "kube-system"
	serviceName      = "pod-metrics"
	apiServiceName   = version + "." + group
)

// register creates the APIService. The API server reaches an APIService by a Service,
// and one of type ExternalName is any host: this one. One that another serves is left
// as it is, and is an error.
func (s *Server) register(ctx context.Context, port int) error {
	if err := s.checkOwner(ctx); err != nil {
		return err
	}
	s.registered = true
	service := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": serviceName, "namespace": serviceNamespace},
		"spec": map[string]any{"type": "ExternalName", "externalName": "localhost"},
	}}
	apiService := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": map[string]any{"name": apiServiceName},
		"spec": map[string]any{
			"group": group, "version": version, "groupPriorityMinimum": int64(100), "versionPriority": int64(100),
			"insecureSkipTLSVerify": true,
			"service":               map[string]any{"name": serviceName, "namespace": serviceNamespace, "port": int64(port)},
		},
	}}
	owner := metav1.ApplyOptions{FieldManager: serviceName}
	if _, err := s.o.Client.Dynamic.Resource(services).Namespace(serviceNamespace).Apply(ctx, serviceName, service, owner); err != nil {
		return err
	}
	if _, err := s.o.Client.Dynamic.Resource(apiServices).Apply(ctx, apiServiceName, apiService, owner); err != nil {
		return err
	}
	return s.waitAvailable(ctx)
}

// free makes sure that nobody else serves the API. What this package has left behind, as
// where it was killed, is nobody's.
func (s *Server) checkOwner(ctx context.Context) error {
	list, err := s.o.Client.Dynamic.Resource(apiServices).Get(ctx, apiServiceName, metav1.GetOptions{})
	if err != nil {
		return ignoreNotFound(err)
	}
	namespace, _, _ := unstructured.NestedString(list.Object, "spec", "service", "namespace")
	name, _, _ := unstructured.NestedString(list.Object, "spec", "service", "name")
	if namespace != serviceNamespace || name != serviceName {
		return fmt.Errorf("the cluster has an APIService %s already, of the Service %s/%s, and one API has one server: use a cluster without it, as the test cluster", apiServiceName, namespace, name)
	}
	return nil
}

// available waits until the API server says that it reaches this server.
func (s *Server) waitAvailable(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		object, err := s.o.Client.Dynamic.Resource(apiServices).Get(ctx, apiServiceName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		message := "it says nothing yet"
		conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
		for _, raw := range conditions {
			c, _ := raw.(map[string]any)
			if c["type"] == "Available" && c["status"] == "True" {
				return nil
			}
			message = fmt.Sprint(c["message"])
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s is available: %w; last: %s", apiServiceName, ctx.Err(), message)
		case <-tick.C:
		}
	}
}

func (s *Server) unregister(ctx context.Context) error {
	if !s.registered {
		return nil
	}
	err := s.o.Client.Dynamic.Resource(apiServices).Delete(ctx, apiServiceName, metav1.DeleteOptions{})
	return errors.Join(ignoreNotFound(err), ignoreNotFound(s.o.Client.Dynamic.Resource(services).Namespace(serviceNamespace).Delete(ctx, serviceName, metav1.DeleteOptions{})))
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// selfSigned is a certificate that nobody checks: the registration says so.
func selfSigned(now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
