{{- /* The pod template of the Deployment and of the StatefulSet. */ -}}
{{- define "scanflow.pod" -}}
{{- $sharded := gt (int .Values.shards) 1 -}}
{{- $policies := include "scanflow.policies" . -}}
{{- $bundle := .Values.policies.bundle -}}
{{- $files := include "scanflow.secretFiles" . | fromJson -}}
{{- $volumes := include "scanflow.volumes" . | trim -}}
{{- $scheme := include "scanflow.scheme" . -}}
metadata:
  labels:
    {{- include "scanflow.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "scanflow.serviceAccount" . }}
  # It ends within 15 s, and gives its Lease up.
  terminationGracePeriodSeconds: 30
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: scanflow
      image: {{ include "scanflow.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: [scanflow]
      args:
        - run
        - --kubernetes
        - --namespace={{ .Values.watchNamespace }}
        - --install={{ default (include "scanflow.fullname" .) .Values.install }}
        - --leader-elect
        - --lease-duration={{ .Values.leaseDuration }}
        {{- if $sharded }}
        - --shard=$(SHARD)/{{ .Values.shards }}
        - --shard-by={{ .Values.shardBy }}
        {{- end }}
        {{- with .Values.agents.selector }}
        - {{ printf "--agents=%s" . | quote }}
        {{- end }}
        - --listen=0.0.0.0:8282
        - --data=/data
        {{- with .Values.prometheus.url }}
        - --prometheus={{ . }}
        {{- end }}
        {{- with .Values.mlflow.url }}
        - --mlflow={{ . }}
        {{- end }}
        {{- with .Values.secretHosts }}
        - {{ printf "--secret-hosts=%s" (join "," .) | quote }}
        {{- end }}
        {{- if $policies }}
        - --policies=/policies
        {{- else if $bundle.url }}
        - {{ printf "--policies=%s" $bundle.url | quote }}
        - --policies-interval={{ $bundle.interval }}
        {{- end }}
        {{- if .Values.policies.withoutShippedGuards }}
        - --without-shipped-guards
        {{- end }}
        {{- with index $files "policies-key" }}
        - --policies-key=/policies-key/{{ .key }}
        {{- with .algorithm }}
        - --policies-key-alg={{ . }}
        {{- end }}
        {{- with .scope }}
        - {{ printf "--policies-key-scope=%s" . | quote }}
        {{- end }}
        {{- end }}
        {{- with index $files "policies-token" }}
        - --policies-token-file=/policies-token/{{ .key }}
        {{- end }}
        {{- with index $files "token" }}
        - --token-file=/token/{{ .key }}
        {{- end }}
        {{- with include "scanflow.mailArgs" . | trim }}
        {{- . | nindent 8 }}
        {{- end }}
        - --log-level={{ .Values.log.level }}
        - --log-format={{ .Values.log.format }}
      {{- if or $sharded .Values.env }}
      env:
        {{- if $sharded }}
        - name: SHARD
          valueFrom: {fieldRef: {fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']"}}
        {{- end }}
        {{- with .Values.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
      ports:
        - {name: {{ $scheme }}, containerPort: 8282, protocol: TCP}
      {{- if $bundle.url }}
      # The bundle's server is waited for, for a minute.
      startupProbe:
        httpGet: {path: /healthz, port: {{ $scheme }}, scheme: {{ upper $scheme }}}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 60
      {{- end }}
      livenessProbe:
        httpGet: {path: /healthz, port: {{ $scheme }}, scheme: {{ upper $scheme }}}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: {path: /readyz, port: {{ $scheme }}, scheme: {{ upper $scheme }}}
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      securityContext:
        {{- include "scanflow.locked" . | nindent 8 }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - {name: data, mountPath: /data}
        - {name: tmp, mountPath: /tmp}
        {{- range fromYamlArray $volumes }}
        - {name: {{ .name }}, mountPath: /{{ .name }}, readOnly: true}
        {{- end }}
  volumes:
    - name: data
      emptyDir: {sizeLimit: {{ .Values.data.sizeLimit }}}
    - name: tmp
      emptyDir: {sizeLimit: 64Mi}
    {{- with $volumes }}
    {{- . | nindent 4 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- if .Values.topologySpreadConstraints }}
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "scanflow.selector" . | nindent 10 }}
    {{- end }}
{{- end -}}
