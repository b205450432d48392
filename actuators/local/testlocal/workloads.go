package testlocal

import (
	"fmt"
	"strings"
)

// Web is a Deployment of testpod's server in the namespace test, with a Service. Each of env
// is NAME=VALUE.
func Web(name string, replicas int, env ...string) string {
	var vars strings.Builder
	for _, e := range env {
		key, value, _ := strings.Cut(e, "=")
		fmt.Fprintf(&vars, "            - {name: %s, value: %q}\n", key, value)
	}
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[1]s
  namespace: test
  labels: {tier: %[1]s, kind: web}
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata:
      labels: {app: %[1]s}
      annotations: {scanflow.dev/model: "digits:3"}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
        - name: web
          image: scanflow:latest
          command: [scanflow]
          ports: [{name: http, containerPort: 8080}]
          env:
            - {name: SCANFLOW_TEST_POD, value: "1"}
            - {name: GORACE, value: atexit_sleep_ms=0}
%[3]s          readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1, failureThreshold: 1}
---
apiVersion: v1
kind: Service
metadata: {name: %[1]s, namespace: test}
spec:
  selector: {app: %[1]s}
  ports: [{port: 8080, targetPort: http}]
---
`, name, replicas, vars.String())
}

// Pinned restricts the pods of Web to a node.
func Pinned(yaml, node string) string {
	return strings.Replace(yaml, "      containers:\n", "      nodeSelector: {kubernetes.io/hostname: "+node+"}\n      containers:\n", 1)
}

// RouteOver is an HTTPRoute named models over two Services.
func RouteOver(a string, weightA int, b string, weightB int) string {
	return fmt.Sprintf(`
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: models, namespace: test}
spec:
  parentRefs: [{name: gateway, port: 8090}]
  rules:
    - backendRefs:
        - {name: %s, port: 8080, weight: %d}
        - {name: %s, port: 8080, weight: %d}
`, a, weightA, b, weightB)
}

// Good is a script for Retrain that succeeds.
const Good = "cat $0; echo 0.93 >$1"

// Retrain is a WorkflowTemplate named retrain whose second step runs a script. extra is
// added to its spec.
func Retrain(script, extra string) string {
	return fmt.Sprintf(`
apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: retrain, namespace: test}
spec:
  entrypoint: main
  serviceAccountName: workflow
  ttlStrategy: {secondsAfterCompletion: 3600}
  arguments: {parameters: [{name: data}, {name: epochs, value: 2}]}
%s
  templates:
    - name: main
      dag:
        tasks:
          - {name: load, template: load}
          - name: train
            template: train
            dependencies: [load]
            arguments: {artifacts: [{name: data, from: "{{tasks.load.outputs.artifacts.data}}"}]}
      outputs: {parameters: [{name: accuracy, valueFrom: {parameter: "{{tasks.train.outputs.parameters.accuracy}}"}}]}
    - name: load
      outputs: {artifacts: [{name: data, path: /tmp/data}]}
      container: {image: "none:1", command: [sh, -c], args: ['echo "{{workflow.parameters.data}} $NODE" >{{outputs.artifacts.data.path}}'], env: [{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]}
    - name: train
      inputs: {artifacts: [{name: data, path: /tmp/data}]}
      outputs: {parameters: [{name: accuracy, valueFrom: {path: /tmp/accuracy}}]}
      container:
        image: none:1
        command: [sh, -c]
        args: [%q, "{{inputs.artifacts.data.path}}", "{{outputs.parameters.accuracy.path}}"]
---
`, extra, script)
}

// CronJob is a CronJob named score. spec is added to its pod's.
func CronJob(spec string) string {
	return fmt.Sprintf(`
apiVersion: batch/v1
kind: CronJob
metadata: {name: score, namespace: test}
spec:
  schedule: "0 0 1 1 *"
  suspend: true
  jobTemplate:
    spec:
      backoffLimit: 0
      activeDeadlineSeconds: 60
      template:
        metadata: {labels: {app: score}}
        spec:
          restartPolicy: Never
%s
          containers: [{name: main, image: none, command: [sh, -c], args: ["echo $(TO) $N"], env: [{name: FROM, value: here}, {name: TO, value: "to $(FROM)"}]}]
---
`, spec)
}
