package podmetrics

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	certutil "k8s.io/client-go/util/cert"
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

// register creates the APIService, and a Service of type ExternalName by which the API
// server reaches this host. It is an error if another server has registered the API.
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

// checkOwner returns an error if another server has registered the API. A registration that
// a killed process of this package has left is taken over.
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

// waitAvailable waits until the API server reports that it reaches this server.
func (s *Server) waitAvailable(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		object, err := s.o.Client.Dynamic.Resource(apiServices).Get(ctx, apiServiceName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		message := "it has no conditions yet"
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

// selfSigned returns a certificate that the API server doesn't verify.
func selfSigned() (tls.Certificate, error) {
	certificate, key, err := certutil.GenerateSelfSignedCertKey("localhost", nil, nil)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certificate, key)
}
