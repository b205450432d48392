package apiclient

import (
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// acceptProtobuf asks for protobuf, which costs a fraction of JSON to decode. An API server
// that does not have it for a kind answers in JSON.
const acceptProtobuf = "application/vnd.kubernetes.protobuf,application/json"

// typedClients are made on their first use.
type typedClients struct {
	mu        sync.Mutex
	byVersion map[schema.GroupVersion]rest.Interface
}

// Typed returns a client that decodes a built-in kind into its Go type of k8s.io/api, from
// protobuf. It returns nil for a kind without such a type, which Dynamic reads.
func (c *Client) Typed(kind schema.GroupVersionKind) (rest.Interface, error) {
	if !scheme.Scheme.Recognizes(kind) {
		return nil, nil
	}
	version := kind.GroupVersion()
	c.typed.mu.Lock()
	defer c.typed.mu.Unlock()
	if client := c.typed.byVersion[version]; client != nil {
		return client, nil
	}
	config := rest.CopyConfig(c.Config)
	config.GroupVersion, config.APIPath = &version, "/apis"
	if version.Group == "" {
		config.APIPath = "/api"
	}
	config.AcceptContentTypes = acceptProtobuf
	config.NegotiatedSerializer = rest.CodecFactoryForGeneratedClient(scheme.Scheme, scheme.Codecs).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the Kubernetes API server: %w", withoutSecrets(err))
	}
	if c.typed.byVersion == nil {
		c.typed.byVersion = map[schema.GroupVersion]rest.Interface{}
	}
	c.typed.byVersion[version] = client
	return client, nil
}
