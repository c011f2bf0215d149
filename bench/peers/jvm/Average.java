/** What the main job keeps of a group. */
public class Average {
    public String device;
    public double sum;
    public double max = Double.NEGATIVE_INFINITY;
    public long n;

    Average add(Reading reading) {
        device = reading.device;
        sum += reading.value;
        max = Math.max(max, reading.value);
        n++;
        return this;
    }
}
