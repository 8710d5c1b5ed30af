{{/* The name of everything namespaced: the release's, with the chart's unless that is in it already. */}}
{{- define "penstock.name" -}}
{{- $name := .Values.nameOverride | default .Release.Name -}}
{{- if not (contains .Chart.Name $name) }}{{ $name = printf "%s-%s" $name .Chart.Name }}{{ end -}}
{{- $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of everything cluster-wide: releases of one name may live in several namespaces. */}}
{{- define "penstock.clusterName" -}}
{{- printf "%s-%s" (include "penstock.name" .) .Release.Namespace -}}
{{- end -}}

{{- define "penstock.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "penstock.name" .) -}}
{{- end -}}

{{/* How admission sees the operator. */}}
{{- define "penstock.username" -}}
{{- printf "system:serviceaccount:%s:%s" .Release.Namespace (include "penstock.serviceAccountName" .) -}}
{{- end -}}

{{- define "penstock.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "penstock.labels" -}}
{{ include "penstock.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "penstock.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* The namespaces that are served, as JSON: the release's own when none is named. */}}
{{- define "penstock.namespaces" -}}
{{- .Values.namespaces | default (list .Release.Namespace) | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* Whether ClusterSecretSyncs are stamped; not empty when they are. */}}
{{- define "penstock.stamps" -}}
{{- if and .Values.clusterWide .Values.clusterSyncs.enabled }}true{{ end -}}
{{- end -}}

{{/* Whether the operator looks at objects without a namespace; not empty when it does. */}}
{{- define "penstock.looksAtTheCluster" -}}
{{- if or .Values.clusterStores.enabled (include "penstock.stamps" .) }}true{{ end -}}
{{- end -}}

{{/* The subject of every binding. */}}
{{- define "penstock.subjects" -}}
- kind: ServiceAccount
  name: {{ include "penstock.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
