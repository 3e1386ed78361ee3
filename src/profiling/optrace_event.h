#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "core/json_scanner.h"
#include "profiling/optrace.h"

namespace hexquant::profiling {

/// Turns the elements of "traceEvents" into the members of an Optrace.
class TraceEventReader {
 public:
  explicit TraceEventReader(Optrace& trace) : trace_(trace) {}

  /// Reads the element at the scanner. Elements of other phases than X (interval), C (counter) and
  /// M (name of a lane) are passed over. @throws Error(kInvalidData) on malformed JSON
  void read(JsonScanner& scanner);

  /// Orders what was read. Call once, after the last read().
  void finish();

 private:
  struct Element;
  void read_arguments(JsonScanner& scanner, Element& element) const;
  void add_interval(const Element& element);
  int lane_of(int thread);
  int name_of(std::string_view name);

  Optrace& trace_;
  std::unordered_map<int, int> lanes_;
  std::unordered_map<std::string, int> names_;
};

}  // namespace hexquant::profiling
