/** What the demo sells: a platform fee, API calls in tiers, egress in packages. */
export const demoCatalog = `\
metrics:
  - { key: API_CALL, name: API calls, aggregation: SUM }
  - { key: EGRESS_BYTES, name: Egress, unit: byte, aggregation: SUM }
plans:
  - key: pro
    name: Pro
    currency: USD
    period: MONTHLY
    prices:
      - { key: base, name: Platform fee, flat: { amount: "20.00" } }
      - key: calls
        name: API calls
        metric: API_CALL
        graduated:
          tiers:
            - { upTo: "10", unitAmount: "0" }
            - { upTo: "100", unitAmount: "0.05" }
            - { unitAmount: "0.0333" }
      - { key: egress, name: Egress, metric: EGRESS_BYTES, package: { size: "1000000", amount: "0.09" } }
defaultPlan: pro
`;
