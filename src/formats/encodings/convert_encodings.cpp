#include "formats/encodings/convert_encodings.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "core/format.h"

namespace hexquant::formats {
namespace {

bool has_blocks(const EncodingEntry& entry) {
  return entry.kind == ScaleKind::kBlock || entry.kind == ScaleKind::kLpbq;
}

bool is_constant(const graph::Graph& graph, const std::string& value) {
  if (graph.find_initializer(value) != nullptr) return true;
  const graph::Node* producer = graph.producer(value);
  return producer != nullptr && producer->is("Constant");
}

/// Converts entry by entry; holds what they share.
class Conversion {
 public:
  Conversion(EncodingsVersion version, const ModelView* model, Findings& findings)
      : version_(version), model_(model), findings_(findings) {}

  /// False when the entry is left out.
  bool apply(EncodingEntry& entry) {
    if (!expressible(entry)) return false;
    if (entry.kind != ScaleKind::kNone) complete_entry(entry);
    if (version_ == EncodingsVersion::k2_0_0) {
      if (!place_entry(entry, model_, findings_)) return false;
    } else {
      drop_axis(entry);
      assign_group(entry);
    }
    set_range(entry);
    // Zero points of 0 are not written in 2.0.0; offsets always are in the others.
    entry.offset_written = version_ != EncodingsVersion::k2_0_0;
    if (!entry.extra.is_null()) {
      note("unknown-keys-dropped", Severity::kInfo, entry.name,
           "keys that this program does not know are left out", "");
    }
    entry.extra = Json();
    entry.keys.clear();
    return true;
  }

  void finish() {
    if (guessed_ == 0) return;
    note("groups-guessed", Severity::kWarning, format("{} tensors", guessed_),
         "2.0.0 does not say which tensors are weights: signed ones were taken as such",
         "give the model: --model");
  }

 private:
  void note(const char* id, Severity severity, const std::string& where, const std::string& reason,
            const std::string& fix) {
    findings_.push_back({id, severity, where, reason, fix});
  }

  void lose(const EncodingEntry& entry, const char* id, Severity severity, const std::string& what,
            const std::string& fix) {
    note(id, severity, entry.name,
         format("{} {}: the entry is left out", version_name(version_), what), fix);
  }

  bool expressible(const EncodingEntry& entry) {
    const bool old = version_ == EncodingsVersion::k0_6_1;
    if (entry.is_float && version_ != EncodingsVersion::k2_0_0 &&
        (!entry.float_type.empty() || entry.kind != ScaleKind::kNone)) {
      lose(entry, "float-type-dropped", Severity::kError,
           format("cannot express the type {}{}", entry.float_type,
                  entry.kind == ScaleKind::kNone ? "" : " with a scale"),
           "use 2.0.0");
      return false;
    }
    if (has_blocks(entry) && old) {
      lose(entry, "blocks-dropped", Severity::kError, "cannot express scales for each block",
           "use 1.0.0 or 2.0.0");
      return false;
    }
    if (!entry.is_float && entry.kind == ScaleKind::kNone && !old) {
      lose(entry, "width-dropped", Severity::kError,
           format("cannot express a width ({} bits) without numbers", entry.bits),
           "keep 0.6.1 (quantization overrides)");
      return false;
    }
    if (entry.kind == ScaleKind::kLpbq && version_ == EncodingsVersion::k2_0_0 &&
        entry.grid_bits != 2 * entry.bits) {
      lose(entry, "grid-bits-dropped", Severity::kError,
           format("expands {} bits to {} only, not to {}", entry.bits, 2 * entry.bits,
                  entry.grid_bits),
           "use 1.0.0");
      return false;
    }
    return true;
  }

  /// 0.6.1 and 1.0.0 have no axis; 1.0.0 lists the blocks of a matrix channel by channel.
  void drop_axis(EncodingEntry& entry) {
    if (!entry.axis) return;
    if (has_blocks(entry)) {
      const auto rank = static_cast<int>(entry.block_shape.size());
      if (rank == 2 && (*entry.axis + rank) % rank == 0) {
        transpose_blocks(entry, entry.block_shape[1]);
      }
      entry.block_shape.clear();
    } else if (*entry.axis != 0) {
      note("axis-dropped", Severity::kInfo, entry.name,
           format("{} does not say that the channels lie on axis {}: readers take it from the "
                  "operation",
                  version_name(version_), *entry.axis),
           "");
    }
    entry.axis.reset();
  }

  void assign_group(EncodingEntry& entry) {
    if (entry.group != EntryGroup::kUnknown) return;
    bool parameter = entry.is_signed || entry.block_size != 0;
    if (model_ != nullptr && model_->graph.has_value(entry.name)) {
      parameter = is_constant(model_->graph, entry.name);
    } else {
      ++guessed_;
    }
    entry.group = parameter ? EntryGroup::kParameter : EntryGroup::kActivation;
  }

  /// 0.6.1 gives min and max beside scale and offset, the others do not.
  void set_range(EncodingEntry& entry) const {
    if (version_ != EncodingsVersion::k0_6_1) {
      entry.min.clear();
      entry.max.clear();
      return;
    }
    entry.block_shape.clear();
    if (!entry.min.empty()) return;
    const double last = std::ldexp(1.0, entry.bits) - 1.0;
    for (std::size_t i = 0; i < entry.scale.size(); ++i) {
      entry.min.push_back(entry.offset[i] * entry.scale[i]);
      entry.max.push_back((entry.offset[i] + last) * entry.scale[i]);
    }
  }

  EncodingsVersion version_;
  const ModelView* model_;
  Findings& findings_;
  std::int64_t guessed_ = 0;
};

/// The envelope with the lists of another version in the place of the old ones.
Json convert_envelope(const Json& envelope, EncodingsVersion version, Findings& findings) {
  Json result = Json::object();
  if (!envelope.contains("version")) result["version"] = version_name(version);
  const bool flat = version == EncodingsVersion::k2_0_0;
  for (const auto& item : envelope.items()) {
    const std::string& key = item.key();
    if (key == "version") {
      result[key] = version_name(version);
    } else if (key == "encodings" || key == "activation_encodings" || key == "param_encodings") {
      for (const char* list : {"activation_encodings", "param_encodings"}) {
        if (!flat) result[list] = Json();
      }
      if (flat) result["encodings"] = Json();
    } else if (flat && (key == "quantizer_args" || key == "excluded_layers")) {
      findings.push_back({"key-dropped", Severity::kInfo, key,
                          format("2.0.0 has no {}: it is left out", key), ""});
    } else {
      result[key] = item.value();
    }
  }
  return result;
}

/// Keyed versions hold a name once in a list; of two entries readers would keep the last.
void drop_repeated(EncodingFile& file, Findings& findings) {
  std::set<std::pair<EntryGroup, std::string>> seen;
  std::vector<EncodingEntry> kept;
  for (auto entry = file.entries.rbegin(); entry != file.entries.rend(); ++entry) {
    if (seen.insert({entry->group, entry->name}).second) {
      kept.push_back(std::move(*entry));
      continue;
    }
    findings.push_back({"repeated-entry", Severity::kWarning, entry->name,
                        "the tensor has several entries: the last one is kept", ""});
  }
  std::reverse(kept.begin(), kept.end());
  file.entries = std::move(kept);
}

}  // namespace

EncodingFile convert_encodings(EncodingFile file, EncodingsVersion version, const ModelView* model,
                               Findings& findings) {
  if (file.version == version) return file;
  EncodingFile result;
  result.version = version;
  result.envelope = convert_envelope(file.envelope, version, findings);
  drop_repeated(file, findings);
  Conversion conversion(version, model, findings);
  for (EncodingEntry& entry : file.entries) {
    if (conversion.apply(entry)) result.entries.push_back(std::move(entry));
  }
  conversion.finish();
  return result;
}

}  // namespace hexquant::formats
