package clusterview

// everyKind has objects of the kinds that agents name most, with as many fields as the API
// server accepts: quantities, times, ports by name and by number, empty lists, and numbers
// and texts that are zero and stated.
const everyKind = `---
apiVersion: v1
kind: ConfigMap
metadata: {name: all, namespace: NS, labels: {empty: ""}, annotations: {scanflow.dev/model: "a/1", empty: ""}}
immutable: false
data: {empty: "", dotted.name: "x"}
binaryData: {bytes: AAEC}
---
apiVersion: v1
kind: Secret
metadata: {name: all, namespace: NS, finalizers: [example.com/none]}
data: {token: c2VjcmV0, none: ""}
---
apiVersion: v1
kind: Service
metadata: {name: all, namespace: NS}
spec:
  selector: {app: all}
  ports: [{name: http, port: 80, targetPort: http}, {name: metrics, port: 9090, targetPort: 9091}]
  sessionAffinity: ClientIP
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: all, namespace: NS}
spec: {accessModes: [ReadWriteOnce], storageClassName: "", resources: {requests: {storage: 1.5Gi}}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: all, namespace: NS}
spec: {hard: {requests.storage: "0.5Gi", requests.nvidia.com/gpu: "0", count/jobs.batch: "1000"}}
---
apiVersion: v1
kind: Pod
metadata: {name: all, namespace: NS, labels: {app: all}}
spec:
  terminationGracePeriodSeconds: 0
  tolerations: [{key: gpu, operator: Exists, effect: NoExecute, tolerationSeconds: 0}]
  nodeSelector: {none: such}
  initContainers:
  - {name: proxy, image: "example.com/proxy:1", restartPolicy: Always, ports: [{name: proxy, containerPort: 15000}]}
  containers:
  - name: main
    image: example.com/main:1
    ports: [{name: http, containerPort: 8080}, {containerPort: 9090, protocol: UDP}]
    env: [{name: EMPTY, value: ""}, {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
    resources: {requests: {cpu: 1500m, memory: 1e3}, limits: {cpu: "2", memory: 1Gi}}
    readinessProbe: {httpGet: {path: /, port: http}, initialDelaySeconds: 0}
    livenessProbe: {tcpSocket: {port: 8080}}
  volumes: [{name: scratch, emptyDir: {}}, {name: sized, emptyDir: {sizeLimit: 0}}]
---
apiVersion: v1
kind: ReplicationController
metadata: {name: all, namespace: NS}
spec: {replicas: 0, selector: {app: rc}, template: {metadata: {labels: {app: rc}}, spec: {containers: [{name: main, image: none}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: all, namespace: NS, annotations: {scanflow.dev/note: kept}}
spec:
  replicas: 0
  paused: false
  minReadySeconds: 0
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 0}}
  selector: {matchLabels: {app: deployment}, matchExpressions: [{key: tier, operator: In, values: [front]}]}
  template: {metadata: {labels: {app: deployment, tier: front}, annotations: {scanflow.dev/model: "b/2"}}, spec: {containers: [{name: main, image: none}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: grown, namespace: NS}
spec: {replicas: 2, selector: {matchLabels: {app: grown}}, template: {metadata: {labels: {app: grown}}, spec: {containers: [{name: main, image: none}]}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: all, namespace: NS}
spec:
  serviceName: all
  replicas: 1
  ordinals: {start: 0}
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}
  selector: {matchLabels: {app: set}}
  template: {metadata: {labels: {app: set}}, spec: {containers: [{name: main, image: none}]}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: all, namespace: NS}
spec: {selector: {matchLabels: {app: daemon}}, template: {metadata: {labels: {app: daemon}}, spec: {containers: [{name: main, image: none}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: all, namespace: NS}
spec: {parallelism: 0, completions: 8, backoffLimit: 0, template: {spec: {restartPolicy: Never, containers: [{name: main, image: none}]}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: all, namespace: NS}
spec: {schedule: "0 0 1 1 *", suspend: true, startingDeadlineSeconds: 0, jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: none}]}}}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: all, namespace: NS}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: none}
  minReplicas: 1
  maxReplicas: 5
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}
  - {type: External, external: {metric: {name: queue}, target: {type: AverageValue, averageValue: "2.5"}}}
  behavior: {scaleDown: {stabilizationWindowSeconds: 0, policies: [{type: Percent, value: 100, periodSeconds: 15}]}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: all, namespace: NS}
spec: {maxUnavailable: 30%, selector: {matchLabels: {app: all}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: all, namespace: NS}
spec: {rules: [{host: a.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: all, port: {number: 80}}}}]}}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: all, namespace: NS}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{ports: [{port: http}]}]}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: all, namespace: NS}
spec: {holderIdentity: a, leaseTransitions: 0, renewTime: "2026-01-02T03:04:05.000006Z"}
`
