import { FleetFollower, type FollowerOptions } from "../cluster/follower.ts";
import { DeliveryReports } from "../deliver/member_report.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Output } from "./output.ts";

/** A follower for a program that goes on. It tells other machines how far the deliveries of this one are. */
export function followFleet(
  secrets: SecretManager,
  options: Pick<FollowerOptions, "freshness" | "onBug" | "version">,
  output: Output,
): FleetFollower {
  const reports = new DeliveryReports();
  return new FleetFollower({
    ...options,
    installation: async () => {
      secrets.refresh();
      const { installation, backend } = await secrets.open();
      return backend.isShared ? installation : undefined;
    },
    onTrouble: (code) =>
      output.warning(
        code === undefined
          ? "the fleet is followed again"
          : `the fleet cannot be followed: ${code}`,
      ),
    reportDeliveries: (installation) => reports.of(installation),
  });
}
