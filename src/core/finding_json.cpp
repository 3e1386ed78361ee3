#include "core/finding_json.h"

namespace hexquant {

Json findings_json(const Findings& findings) {
  Json list = Json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"id", finding.id},
                    {"severity", severity_name(finding.severity)},
                    {"where", finding.where},
                    {"reason", finding.reason},
                    {"fix", finding.fix}});
  }
  return list;
}

}  // namespace hexquant
